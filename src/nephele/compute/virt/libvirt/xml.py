"""Write XML as it is read: one line an element."""

from xml.etree import ElementTree as Tree

Element = Tree.Element


def add(parent: Element, tag: str, text: str = "", /, **attributes: str | int) -> Element:
    """Append an element to `parent`; gives the new one."""
    child = Tree.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    child.text = text or None
    return child


def element(tag: str, **attributes: str | int) -> Element:
    """A new element."""
    return Element(tag, {name: str(value) for name, value in attributes.items()})


def text_of(root: Element) -> str:
    """The element as libvirt wants it."""
    return Tree.tostring(root, encoding="unicode")


def parse(text: str) -> Element:
    """What libvirtd, which is trusted, answered."""
    return Tree.fromstring(text)  # noqa: S314
