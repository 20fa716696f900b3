"""Frames made by hand, for a guest that lies about itself."""

import socket
import struct
import time
from ipaddress import ip_address

from nephele.network.agent import netns

BROADCAST = "ff:ff:ff:ff:ff:ff"


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def neighbour_claim(source: str, target: str, address: str) -> bytes:
    """An ICMPv6 neighbour advertisement that says: `address` is here."""
    body = bytes([136, 0, 0, 0, 0x20, 0, 0, 0]) + ip_address(address).packed
    pseudo = ip_address(source).packed + ip_address(target).packed + struct.pack("!II", len(body), 58)
    return body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]


def ip_frame(source_mac: str, source: str, target: str, payload: bytes, protocol: int, to: str = BROADCAST) -> bytes:
    """An IPv4 or IPv6 packet in its frame."""
    if ":" in source:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
        head += ip_address(source).packed + ip_address(target).packed
        return _mac(to) + _mac(source_mac) + b"\x86\xdd" + head + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    head += ip_address(source).packed + ip_address(target).packed
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return _mac(to) + _mac(source_mac) + b"\x08\x00" + head + payload


def udp(source_port: int, target_port: int, data: bytes) -> bytes:
    """A UDP datagram; checksum 0 says that there is none."""
    return struct.pack("!HHHH", source_port, target_port, 8 + len(data), 0) + data


def arp_frame(frame_mac: str, sender_mac: str, sender: str, target: str, operation: int = 2) -> bytes:
    """An ARP answer (operation 2) or request (1)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + _mac(sender_mac) + ip_address(sender).packed
    return _mac(BROADCAST) + _mac(frame_mac) + b"\x08\x06" + body + bytes(6) + ip_address(target).packed


def open_wire(space: str) -> socket.socket:
    """The raw end of a guest's eth0."""
    with netns.entered(space):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind(("eth0", 3))
    return wire


def arrives(sender: str, receiver: str, frame: bytes, seconds: float = 0.3) -> bool:
    """Whether a frame that one guest sends reaches another."""
    with open_wire(sender) as out, open_wire(receiver) as into:
        out.send(frame)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            into.settimeout(left)
            try:
                if into.recv(4096).startswith(frame):
                    return True
            except TimeoutError:
                return False
    return False
