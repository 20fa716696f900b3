"""Gratuitous ARP: tell a link's neighbours that an address is here now."""

import socket
import struct
from ipaddress import ip_interface

_ETHERTYPE_ARP = 0x0806


def announcement(mac: bytes, address: bytes) -> bytes:
    """The frame: an ARP request by `address` for itself (RFC 5227)."""
    ethernet = b"\xff" * 6 + mac + struct.pack("!H", _ETHERTYPE_ARP)
    return ethernet + struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, address, bytes(6), address)


def announce_address(link: str, address: str) -> None:
    """Send the announcement of an IPv4 `address` (with prefix length) on `link`, in this thread's namespace."""
    ip = ip_interface(address).ip
    if ip.version != 4 or link == "lo":
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet:
        packet.bind((link, 0))
        packet.send(announcement(packet.getsockname()[4], ip.packed))
