"""A host's network on a real Linux kernel: the interface of `hostnet` over netlink, netfilter and sockets.

Every network namespace is held by a thread of its own and has no name outside of this process, so that the kernel
removes all that was made when the process ends, however it ends. Made by `cluster`; wants root, and for virtual
servers a kernel with ip_vs.
"""
