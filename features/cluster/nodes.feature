Feature: Nodes
  A node is a machine that runs Pods. Its kubelet makes the Node object, renews its Lease and tells how the machine is.
  The control plane gives each node a subnet for its Pods, and keeps Pods away from nodes that are not well.

  @req:NODE-1 @needs:nodes.fault
  Rule: A kubelet registers its own Node object when it starts

    @id:nodes.01 @core
    Scenario: A machine that joins is a Node, ready for Pods
      When the node "new" joins
      Then within 60 seconds the Node "new" has:
        | field                                            | value     |
        | metadata.labels["kubernetes.io/hostname"]        | (present) |
        | metadata.labels["kubernetes.io/os"]              | (present) |
        | status.conditions[type=Ready].status             | "True"    |
        | status.nodeInfo.kubeletVersion                   | (present) |
        | spec.podCIDR                                     | (present) |
      And within 60 seconds the Node "new" is not tainted

    @id:nodes.02 @core
    Scenario: A kubelet that starts again takes its Node over
      Given the nodes "worker" have joined
      And the uid of the Node "worker" is called "first"
      And the nodes "worker" have fallen silent
      When the node "worker" comes back
      Then within 60 seconds the Node "worker" has:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |
      And the Node "worker" still has the uid "first"

  @req:NODE-2
  Rule: A live kubelet renews its node's Lease and reports conditions, capacity and addresses

    @id:nodes.03 @core
    Scenario: A node tells what it has, where it is and how it is
      Given a ready node, called "worker"
      When the Node "worker" is read
      Then the answer has:
        | field                                         | value     |
        | status.capacity.cpu                           | (present) |
        | status.capacity.memory                        | (present) |
        | status.capacity.pods                          | (present) |
        | status.allocatable.cpu                        | (present) |
        | status.addresses[type=InternalIP].address     | (present) |
        | status.conditions[type=Ready].status          | "True"    |
        | status.conditions[type=MemoryPressure].status | "False"   |
        | status.conditions[type=DiskPressure].status   | "False"   |
        | status.conditions[type=PIDPressure].status    | "False"   |

    @id:nodes.04 @core
    Scenario: A node's Lease is renewed again and again
      Given a ready node, called "worker"
      And the version of the Lease "worker" in namespace "kube-node-lease" is called "old"
      When 40 seconds pass
      Then the Lease "worker" in namespace "kube-node-lease" is no longer at version "old"
      And the Lease "worker" in namespace "kube-node-lease" has:
        | field                                  | value     |
        | spec.holderIdentity                    | worker    |
        | spec.renewTime                         | (present) |
        | metadata.ownerReferences[kind=Node].name | worker  |

  @req:NODE-4
  Rule: Component status lists the control plane's components with a Healthy condition

    @id:nodes.05 @core
    Scenario: Scheduler, controller manager and store are listed
      When the ComponentStatuses are listed
      Then the list holds at least "controller-manager", "etcd-0" and "scheduler"
      And each object of the list has:
        | field                                  | value     |
        | conditions[type=Healthy].status        | (present) |

    @id:nodes.06 @extended
    Scenario: A store that answers is healthy
      When the ComponentStatuses are listed
      Then the object "etcd-0" of the list has:
        | field                                  | value     |
        | conditions[type=Healthy].status        | "True"    |

  @req:NODE-8
  Rule: Every node has a subnet for its Pods, and no address is in two

    @id:nodes.07 @core
    Scenario: A new node is given a subnet of its own
      When a Node "new" is created
      Then within 30 seconds the Node "new" has:
        | field            | value                                |
        | spec.podCIDR     | /[0-9a-f.:]+\/\d+/                   |
        | spec.podCIDRs[0] | /[0-9a-f.:]+\/\d+/                   |
      And the Pod subnets of all nodes lie in the cluster's range, and none overlaps another

    @id:nodes.08 @core
    Scenario: Many nodes have as many subnets
      When 12 Nodes named "node-01" to "node-12" are created at once
      Then the request is accepted
      And within 60 seconds every node has a Pod subnet
      And the Pod subnets of all nodes lie in the cluster's range, and none overlaps another

    @id:nodes.09 @core
    Scenario: A node keeps the subnet that it has
      Given a Node "new"
      And the Node "new" has come to have:
        | field        | value     |
        | spec.podCIDR | (present) |
      When the Node "new" is updated:
        | field         | value            |
        | spec.podCIDR  | 10.99.99.0/24    |
        | spec.podCIDRs | [10.99.99.0/24]  |
      Then the request is refused as Invalid

  @req:NODE-9
  Rule: Pods are kept away from nodes that are not well

    @id:nodes.10 @core
    Scenario: A node that nobody has told of yet takes no Pods
      When a Node "new" is created
      Then the answer has:
        | field                                                | value      |
        | spec.taints[key=node.kubernetes.io/not-ready].effect | NoSchedule |

    @id:nodes.11 @core
    Scenario: A node that reports that it is ready takes Pods
      Given these nodes without a kubelet:
        | name | ready |
        | a    |       |
      When the Node "a" reports Ready as "True"
      Then within 30 seconds the Node "a" is not tainted

    @id:nodes.12 @core
    Scenario Outline: A node that reports <condition> takes no more Pods
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      When the Node "a" reports <condition> as "True"
      Then within 30 seconds the Node "a" is tainted:
        | key                      | effect     |
        | node.kubernetes.io/<key> | NoSchedule |

      Examples:
        | condition          | key                 |
        | MemoryPressure     | memory-pressure     |
        | DiskPressure       | disk-pressure       |
        | PIDPressure        | pid-pressure        |
        | NetworkUnavailable | network-unavailable |

    @id:nodes.13 @core
    Scenario: A node that is well again takes Pods again
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And the Node "a" has reported MemoryPressure as "True"
      And the Node "a" has come to have:
        | field                                                      | value      |
        | spec.taints[key=node.kubernetes.io/memory-pressure].effect | NoSchedule |
      When the Node "a" reports MemoryPressure as "False"
      Then within 30 seconds the Node "a" is not tainted

    @id:nodes.14 @core
    Scenario: A node that is cordoned is tainted so
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      When the Node "a" is updated:
        | field              | value |
        | spec.unschedulable | true  |
      Then within 30 seconds the Node "a" is tainted:
        | key                              | effect     |
        | node.kubernetes.io/unschedulable | NoSchedule |

    @id:nodes.15 @core
    Scenario: A node that reports that it is not ready is left by its Pods, too
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      When the Node "a" reports Ready as "False"
      Then within 40 seconds the Node "a" is tainted:
        | key                          | effect     |
        | node.kubernetes.io/not-ready | NoSchedule |
        | node.kubernetes.io/not-ready | NoExecute  |
