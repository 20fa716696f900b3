"""An operating system of one sector: it greets on the serial port and obeys the ACPI power button.

It listens to the button only after a while, as real systems do, and a button pressed before is lost.
The ports are those of QEMU's `pc` machine: serial 0x3f8, ACPI event status 0x600 and enable 0x602, control 0x604.
"""

TICKS_PER_SECOND = 18.2


def boot_sector(deaf_seconds: float = 0.1, *, obeys: bool = True) -> bytes:
    """The disk's first 512 bytes; the system ignores the button for `deaf_seconds`, or for ever."""
    bit = "01" if obeys else "00"
    ticks = max(round(deaf_seconds * TICKS_PER_SECOND), 1).to_bytes(2, "little").hex()
    program = f"""
        31 c0           xor   ax, ax
        8e d8           mov   ds, ax
        be 4b 7c        mov   si, "hello"
        e8 2d 00        call  say
        b9 {ticks}         mov   cx, ticks
        f4              hlt                     until the next timer tick
        e2 fd           loop  -3
        ba 02 06        mov   dx, 0x602
        b8 00 {bit}        mov   ax, 0x100         the power button's bit,
        ef              out   dx, ax            enabled
        be 53 7c        mov   si, "ready"
        e8 1a 00        call  say
        f4              hlt
        ba 00 06        mov   dx, 0x600
        ed              in    ax, dx
        f6 c4 01        test  ah, 1             pressed?
        74 f6           jz    -10
        be 5b 7c        mov   si, "bye"
        e8 0a 00        call  say
        ba 04 06        mov   dx, 0x604
        b8 00 20        mov   ax, 0x2000        sleep, as deep as off
        ef              out   dx, ax
        f4              hlt
        eb fd           jmp   -3
        ba fd 03        mov   dx, 0x3fd         say:
        ec              in    al, dx
        a8 20           test  al, 0x20          can the port take a byte?
        74 fb           jz    -5
        ac              lodsb
        84 c0           test  al, al
        74 06           jz    +6
        ba f8 03        mov   dx, 0x3f8
        ee              out   dx, al
        eb ed           jmp   say
        c3              ret
    """
    code = b"".join(bytes.fromhex(line.strip().split("  ")[0]) for line in program.strip().splitlines())
    assert len(code) == 0x4B, len(code)
    return (code + b"hello\r\n\0ready\r\n\0bye\r\n\0").ljust(510, b"\0") + b"\x55\xaa"
