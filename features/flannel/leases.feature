@needs:pods.real
Feature: Subnets that nodes publish
  On Kubernetes flannel needs no store of its own: each node's subnet is its podCIDR, and how it is reached stands in
  the annotations of its Node. Every daemon reads the others', and tells its kernel the way to their Pods.

  Background:
    Given the nodes "n1" and "n2" run Pods

  @req:FLN-3
  Rule: Each node publishes its subnet and its address, and the others route the subnet towards it

    @id:leases.01 @core
    Scenario: The annotations of a Node tell how its Pods are reached
      When the Node "n1" is read
      Then the Node "n1" has:
        | field                                                            | value          |
        | spec.podCIDR                                                     | /[0-9./]+/     |
        | metadata.annotations["flannel.alpha.coreos.com/kube-subnet-manager"] | "true"     |
        | metadata.annotations["flannel.alpha.coreos.com/public-ip"]       | /[0-9.]+/      |
        | metadata.annotations["flannel.alpha.coreos.com/backend-type"]    | /[a-z-]+/      |
        | metadata.annotations["flannel.alpha.coreos.com/backend-data"]    | (present)      |

    @id:leases.02 @core
    Scenario: The daemon tells that the node has a network
      When the Node "n1" is read
      Then the Node "n1" has:
        | field                                             | value       |
        | status.conditions[type=NetworkUnavailable].status | "False"     |
        | status.conditions[type=NetworkUnavailable].reason | FlannelIsUp |

    @id:leases.03 @core @needs:net.state
    Scenario: Every other node's subnet is routed
      When the Node "n2" is read
      Then within 30 seconds the routes of the node "n1" include:
        | destination    |
        | (subnet of n2) |
      And within 30 seconds the routes of the node "n2" include:
        | destination    |
        | (subnet of n1) |

    @id:leases.04 @core @needs:nodes.fault @needs:net.state
    Scenario: A node that joins is routed to
      When the node "new" joins
      Then within 60 seconds the routes of the node "n1" include:
        | destination     |
        | (subnet of new) |

    @id:leases.05 @core @needs:nodes.fault @needs:net.state
    Scenario: A node that is gone is no longer routed to
      Given the nodes "old" have joined
      And "spec.podCIDR" of the Node "old" is called "its subnet"
      And the routes of the node "n1" have come to include:
        | destination  |
        | "its subnet" |
      And the nodes "old" have fallen silent
      When the Node "old" is deleted
      Then within 60 seconds the routes of the node "n1" include none of:
        | destination  |
        | "its subnet" |
