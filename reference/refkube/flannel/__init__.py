"""flannel: `daemon` publishes the node's subnet and follows the others', `backends` carry the packets between nodes."""
