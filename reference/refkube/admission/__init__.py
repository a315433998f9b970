"""The admission chain: what may change or refuse a request between decoding and storing it."""
