"""Whether KVM is worth using: tried, not looked up.

`/dev/kvm` may be there, and libvirt may offer it, where the processor of a virtual machine has no room for another:
guests then run a thousand times too slow.  So a boot sector of ours goes the way that a kernel goes, from
real mode to paged 64-bit code, counts to fifty million there and ends QEMU with a word of its own.  That
takes 0.2 s even by QEMU's own translation; who needs more than 3 s is no use.
"""

import logging
import platform
import subprocess
import tempfile
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

WORD = 0x10
EXIT_CODE = WORD << 1 | 1
"""isa-debug-exit ends QEMU with twice the written byte plus one: 33."""
PATIENCE_SECONDS = 3

_PROGRAM = """
    fa                      cli
    fc                      cld
    66 31 c0                xor   eax, eax
    8e d8                   mov   ds, ax
    8e c0                   mov   es, ax
    bf 00 10                mov   di, 0x1000        three pages for three levels of page tables:
    b9 00 0c                mov   cx, 0xc00
    66 f3 ab                rep stosd               cleared,
    c7 06 00 10 03 20       mov   word [0x1000], 0x2003     level 4 -> level 3 at 0x2000
    c7 06 00 20 03 30       mov   word [0x2000], 0x3003     level 3 -> level 2 at 0x3000
    c6 06 00 30 83          mov   byte [0x3000], 0x83       level 2 -> the first 2 MiB of memory
    b0 20                   mov   al, 0x20
    0f 22 e0                mov   cr4, eax          physical address extension on
    b8 00 10                mov   ax, 0x1000
    0f 22 d8                mov   cr3, eax          the page tables are at 0x1000
    66 b9 80 00 00 c0       mov   ecx, 0xc0000080   the EFER register:
    0f 32                   rdmsr
    80 cc 01                or    ah, 1             long mode enabled
    0f 30                   wrmsr
    0f 01 16 61 7c          lgdt  [0x7c61]
    0f 20 c0                mov   eax, cr0
    66 0d 01 00 00 80       or    eax, 0x80000001   protection and paging on: long mode
    0f 22 c0                mov   cr0, eax
    ea 51 7c 08 00          jmp   8:0x7c51          into 64-bit code, here:
    b9 80 f0 fa 02          mov   ecx, 50000000
    ff c9                   dec   ecx
    75 fc                   jnz   -4
    b0 10                   mov   al, 0x10          WORD
    e6 f4                   out   0xf4, al          to isa-debug-exit
    f4                      hlt
    eb fd                   jmp   -3
    0f 00 67 7c 00 00       descriptor table: 15 bytes at 0x7c67
    00 00 00 00 00 00 00 00         0: none
    00 00 00 00 00 9a 20 00         8: 64-bit code
"""


class Answer(msgspec.Struct, frozen=True):
    """What was found, and on what."""

    kernel: str
    qemu: str
    is_fast: bool


def boot_sector() -> bytes:
    """The 512 bytes: the program, and the mark by which the firmware knows a boot sector."""
    lines = (line[4:28].strip() for line in _PROGRAM.strip("\n").splitlines())
    return b"".join(bytes.fromhex(line) for line in lines).ljust(510, b"\0") + b"\x55\xaa"


def kvm_is_fast(emulator: str, qemu_version: int, cache: Path) -> bool:
    """Whether guests run well on KVM here; asked anew when the kernel or QEMU has changed."""
    if not Path("/dev/kvm").exists():
        return False
    kernel, qemu = platform.release(), f"{emulator} {qemu_version}"
    known = _read(cache)
    if known is None or (known.kernel, known.qemu) != (kernel, qemu):
        known = Answer(kernel, qemu, run_probe(emulator, "kvm") == EXIT_CODE)
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_name(cache.name + ".part")
        part.write_bytes(msgspec.json.encode(known))
        part.rename(cache)
        log.info("KVM is %s on this host", "fast" if known.is_fast else "of no use: guests run by translation")
    return known.is_fast


def run_probe(emulator: str, accelerator: str) -> int | None:
    """QEMU's exit code after booting the probe; None where it had to be stopped."""
    with tempfile.NamedTemporaryFile(prefix="nephele-kvm-probe-") as disk:
        disk.write(boot_sector())
        disk.flush()
        words = [
            *(emulator, "-accel", accelerator, "-machine", "pc", "-m", "16"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-drive", f"file={disk.name},format=raw,if=floppy"),
            *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
        ]
        try:
            return subprocess.run(words, capture_output=True, timeout=PATIENCE_SECONDS, check=False).returncode
        except (subprocess.TimeoutExpired, OSError):
            return None


def _read(cache: Path) -> Answer | None:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=Answer)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
