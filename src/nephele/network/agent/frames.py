"""Frames that the agent sends itself: gratuitous ARP, and leases given back in a guest's name."""

import socket
import struct
from ipaddress import ip_address, ip_interface

_ARP, _IPV4, _UDP = 0x0806, 0x0800, 17
_DHCP_COOKIE = bytes.fromhex("63825363")
_MESSAGE_TYPE, _SERVER_ID, _END, _RELEASE = 53, 54, 255, 7


def announcement(mac: bytes, address: bytes) -> bytes:
    """An ARP request by `address` for itself, to everyone (RFC 5227)."""
    ethernet = b"\xff" * 6 + mac + struct.pack("!H", _ARP)
    return ethernet + struct.pack("!HHBBH6s4s6s4s", 1, _IPV4, 6, 4, 1, mac, address, bytes(6), address)


def announce_address(link: str, address: str) -> None:
    """Tell the neighbours on `link` of an IPv4 `address` (with prefix length), in this thread's namespace."""
    ip = ip_interface(address).ip
    if ip.version != 4 or link == "lo":
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packet:
        packet.bind((link, 0))
        packet.send(announcement(packet.getsockname()[4], ip.packed))


def release(address: str, mac: str, server: str, server_mac: str) -> bytes:
    """A DHCPRELEASE of `address` (RFC 2131), as the guest with that MAC would send it to the server."""
    guest, holder = bytes.fromhex(mac.replace(":", "")), ip_address(address).packed
    dhcp = bytes([1, 1, 6, 0]) + holder + bytes(4) + holder + bytes(12) + guest.ljust(16, b"\0") + bytes(192)
    dhcp += _DHCP_COOKIE + bytes([_MESSAGE_TYPE, 1, _RELEASE, _SERVER_ID, 4]) + ip_address(server).packed
    dhcp += bytes([_END]).ljust(60, b"\0")
    udp = struct.pack("!HHHH", 68, 67, 8 + len(dhcp), 0) + dhcp
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0, holder, ip_address(server).packed)
    head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    return bytes.fromhex(server_mac.replace(":", "")) + guest + struct.pack("!H", _IPV4) + head + udp


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
