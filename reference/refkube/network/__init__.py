"""A host's network as a simulated kernel: `hostnet` with the journey of every packet, on the loop's virtual time.

Entered through `fabric`. Packets are objects that the code on their way may change (they are copied where they fork);
they become bytes only for a capture and for the process behind a tun device. Left out: IPv6, congestion control,
urgent data, source routing, and every queue but the neighbours'.
"""
