"""Holds every packet that a TUN device hands out for a fixed time, then hands it back: a long line, where the kernel
has no netem. Arguments: the device's name and the delay in milliseconds. Prints "ready"; when standard input ends it
prints one JSON object with what it carried, and stops."""

import collections
import fcntl
import json
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
TUN_F_CSUM_AND_TSO4 = 0x03
PACKET_BYTES_MAX = 65536 + 64
# Eight lines of 50 Mbit/s bring some 30,000 packets a second: what is held for a second is more than any delay here.
HELD_MAX = 65536

name, delay = sys.argv[1], float(sys.argv[2]) / 1000
tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
# Bundles of packets of one connection stay together, with a header that says how to part them, as on a network card.
fcntl.ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM_AND_TSO4)
try:
    # It plays the part of hardware: the peers' processes must not make it late.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
except PermissionError:
    pass
print("ready", flush=True)

held = collections.deque()
lateness = collections.Counter()
dropped = 0
now = time.monotonic
running = True
while running:
    wait = max(0.0, held[0][0] - now()) if held else None
    readable, _, _ = select.select([tun, sys.stdin], [], [], wait)
    if sys.stdin in readable:
        running = False
    moment = now()
    while held and held[0][0] <= moment:
        due, packet = held.popleft()
        lateness[int((moment - due) * 1000)] += 1
        try:
            os.write(tun, packet)
        except OSError:
            dropped += 1
    if tun not in readable:
        continue
    due = moment + delay
    # Not more at once than a fraction of a millisecond takes: what is due must go.
    for _ in range(64):
        try:
            packet = os.read(tun, PACKET_BYTES_MAX)
        except BlockingIOError:
            break
        if len(held) >= HELD_MAX:
            dropped += 1
        else:
            held.append((due, packet))

total = sum(lateness.values())
beyond = 0
late = 0
for late in sorted(lateness, reverse=True):
    beyond += lateness[late]
    if beyond > total / 100:
        break
print(json.dumps({"packets": total, "dropped": dropped, "lateMs99": late}), flush=True)
