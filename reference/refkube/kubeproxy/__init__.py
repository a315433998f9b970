"""kube-proxy in IPVS mode: `changes` reads Services and endpoints, `proxier` decides and acts, `rules` is the text."""
