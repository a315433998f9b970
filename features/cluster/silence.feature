Feature: Silent nodes
  Of a node that is not heard of any more nobody knows whether its Pods run. So it is waited for; then its condition is
  Unknown, it is tainted, and its Pods are deleted as soon as they tolerate that no longer. Where too many nodes fall
  silent at the same time, it is rather the network that is broken, and Pods are left where they are.

  @req:NODE-3
  Rule: A silent node's Ready condition becomes Unknown after the grace period

    @id:silence.01 @core @needs:nodes.fault
    Scenario: The conditions of a node that lost its power are Unknown
      Given the nodes "worker" have joined
      When the node "worker" falls silent
      Then within 90 seconds the Node "worker" has:
        | field                                         | value             |
        | status.conditions[type=Ready].status          | Unknown           |
        | status.conditions[type=Ready].reason          | NodeStatusUnknown |
        | status.conditions[type=MemoryPressure].status | Unknown           |
        | status.conditions[type=DiskPressure].status   | Unknown           |
        | status.conditions[type=PIDPressure].status    | Unknown           |

    @id:silence.02 @core @needs:nodes.fault
    Scenario: A short silence changes nothing
      Given the nodes "worker" have joined
      When the node "worker" falls silent
      Then for 30 seconds the Node "worker" still has:
        | field                                | value  |
        | status.conditions[type=Ready].status | "True" |

    @id:silence.03 @core
    Scenario: A node that was ready once and is not heard of again is Unknown
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      When 50 seconds pass
      Then within 40 seconds the Node "a" has:
        | field                                | value             |
        | status.conditions[type=Ready].status | Unknown           |
        | status.conditions[type=Ready].reason | NodeStatusUnknown |

    @id:silence.04 @core
    Scenario: A node that was never heard of is Unknown
      Given these nodes without a kubelet:
        | name | ready |
        | a    |       |
      When 55 seconds pass
      Then within 40 seconds the Node "a" has:
        | field                                         | value                  |
        | status.conditions[type=Ready].status          | Unknown                |
        | status.conditions[type=Ready].reason          | NodeStatusNeverUpdated |
        | status.conditions[type=MemoryPressure].status | Unknown                |

    @id:silence.05 @core @needs:nodes.fault
    Scenario: The Pods of a silent node are no longer ready
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName |
        | web  | worker        |
      When the node "worker" falls silent
      Then within 90 seconds the Pod "web" has:
        | field                                | value   |
        | status.conditions[type=Ready].status | "False" |
        | status.phase                         | Running |

  @req:NODE-5
  Rule: A silent node is tainted unreachable

    @id:silence.06 @core @needs:nodes.fault
    Scenario: A node that lost its power takes no new Pods and loses those that it has
      Given the nodes "worker" have joined
      When the node "worker" falls silent
      Then within 100 seconds the Node "worker" is tainted:
        | key                            | effect     |
        | node.kubernetes.io/unreachable | NoSchedule |
        | node.kubernetes.io/unreachable | NoExecute  |

    @id:silence.07 @core
    Scenario: A node that said that it is not ready, and then nothing, is unreachable only
      Given these nodes without a kubelet:
        | name | ready |
        | a    | no    |
      When 50 seconds pass
      Then within 50 seconds the Node "a" is tainted:
        | key                            | effect     |
        | node.kubernetes.io/unreachable | NoSchedule |
        | node.kubernetes.io/unreachable | NoExecute  |

    @id:silence.08 @core
    Scenario: Silent nodes of a zone are tainted in turn
      Given these nodes without a kubelet:
        | name | zone | ready |
        | a    | east | yes   |
        | b    | east | yes   |
        | c    | east | yes   |
      When 50 seconds pass
      Then within 60 seconds the nodes "a", "b" and "c" have come to be unreachable, each 9 seconds after another

    @id:silence.09 @core @needs:nodes.fault
    Scenario: Where most nodes of a zone fall silent, none loses its Pods
      Given the nodes "a", "b", "c" and "d" have joined the zone "east"
      When the nodes "a", "b" and "c" fall silent
      Then within 90 seconds the Node "a" is tainted:
        | key                            | effect     |
        | node.kubernetes.io/unreachable | NoSchedule |
      And for 30 seconds the Node "a" is still tainted:
        | key                            | effect     |
        | node.kubernetes.io/unreachable | NoSchedule |

  @req:NODE-6
  Rule: A Pod on an unreachable node is deleted when its toleration ends

    @id:silence.10 @core @needs:nodes.fault @needs:time.skip
    Scenario: Five minutes after its node was given up a Pod is deleted
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName |
        | web  | worker        |
      When the node "worker" falls silent
      Then for 300 seconds the Pod "web" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |
      And within 100 seconds there is no Pod "web"

    @id:silence.11 @core @needs:nodes.fault @needs:time.skip
    Scenario: A Pod that takes leave is deleted, and stays until its node has let it go
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName | spec.terminationGracePeriodSeconds |
        | web  | worker        | 30                                 |
      When the node "worker" falls silent
      Then within 400 seconds the Pod "web" has:
        | field                                           | value                  |
        | metadata.deletionTimestamp                      | (present)              |
        | status.conditions[type=DisruptionTarget].status | "True"                 |
        | status.conditions[type=DisruptionTarget].reason | DeletionByTaintManager |
      And for 5 minutes there is still a Pod "web"

    @id:silence.12 @core
    Scenario: A Pod is deleted as soon as it tolerates the taint no longer
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        """
        spec:
          nodeName: a
          tolerations:
          - {key: example.com/fire, operator: Exists, effect: NoExecute, tolerationSeconds: 20}
        """
      When the Node "a" is given the taint "example.com/fire" with the effect NoExecute
      Then for 10 seconds the Pod "web" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |
      And within 30 seconds there is no Pod "web"

    @id:silence.13 @core
    Scenario: A Pod that does not tolerate the taint is deleted at once
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        | field         | value |
        | spec.nodeName | a     |
      When the Node "a" is given the taint "example.com/fire" with the effect NoExecute
      Then within 20 seconds there is no Pod "web"

    @id:silence.14 @core
    Scenario: A Pod that tolerates the taint for ever stays
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        """
        spec: {nodeName: a, tolerations: [{key: example.com/fire, operator: Exists, effect: NoExecute}]}
        """
      When the Node "a" is given the taint "example.com/fire" with the effect NoExecute
      Then for 30 seconds the Pod "web" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:silence.15 @core
    Scenario: A taint that goes in time costs no Pod
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        """
        spec:
          nodeName: a
          tolerations:
          - {key: example.com/fire, operator: Exists, effect: NoExecute, tolerationSeconds: 15}
        """
      And the Node "a" has been given the taint "example.com/fire" with the effect NoExecute
      And 5 seconds have passed
      When the Node "a" is rid of the taint "example.com/fire"
      Then for 30 seconds the Pod "web" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:silence.16 @core
    Scenario: The shortest toleration counts
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        """
        spec:
          nodeName: a
          tolerations:
          - {key: example.com/fire, operator: Exists, effect: NoExecute, tolerationSeconds: 600}
          - {key: example.com/flood, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
        """
      When the Node "a" is given the taints "example.com/fire" and "example.com/flood" with the effect NoExecute
      Then within 30 seconds there is no Pod "web"

    @id:silence.17 @core
    Scenario: The Pods of a node that is gone go, too
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a Pod "web" with:
        | field                              | value |
        | spec.nodeName                      | a     |
        | spec.terminationGracePeriodSeconds | 30    |
      When the Node "a" is deleted
      Then within 110 seconds there is no Pod "web"

  @req:NODE-7
  Rule: A node that reports again is Ready and untainted

    @id:silence.18 @core @needs:nodes.fault
    Scenario: A node that has its power again takes Pods as before
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName |
        | web  | worker        |
      And the nodes "worker" have fallen silent
      And the Node "worker" has come to be unreachable
      When the node "worker" comes back
      Then within 40 seconds the Node "worker" is not tainted
      And within 40 seconds the Pod "web" has:
        | field                                | value    |
        | status.conditions[type=Ready].status | "True"   |
        | metadata.deletionTimestamp           | (absent) |

    @id:silence.19 @core
    Scenario: A report ends the silence
      Given these nodes without a kubelet:
        | name | ready |
        | a    |       |
      And the Node "a" has come to be unreachable
      When the Node "a" reports Ready as "True"
      Then within 40 seconds the Node "a" is not tainted

  @req:NODE-10 @needs:nodes.fault
  Rule: A node that is cut off counts as silent, though all that is on it runs on

    @id:silence.20 @core
    Scenario: A node that is cut off takes no Pods, and those that it has are not ready
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName |
        | web  | worker        |
      When the node "worker" is cut off
      Then within 100 seconds the Node "worker" is tainted:
        | key                            | effect     |
        | node.kubernetes.io/unreachable | NoSchedule |
        | node.kubernetes.io/unreachable | NoExecute  |
      And within 20 seconds the Pod "web" has:
        | field                                | value   |
        | status.conditions[type=Ready].status | "False" |
        | status.phase                         | Running |

    @id:silence.21 @core
    Scenario: A node that is connected again has the Pods that it had
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName |
        | web  | worker        |
      And the node "worker" has been cut off
      And the Node "worker" has come to be unreachable
      When the node "worker" is connected again
      Then within 60 seconds the Node "worker" is not tainted
      And within 60 seconds the Pod "web" has:
        | field                                            | value    |
        | status.conditions[type=Ready].status             | "True"   |
        | status.containerStatuses[name=main].restartCount | 0        |
        | metadata.deletionTimestamp                       | (absent) |

    @id:silence.22 @core
    Scenario: A Pod that is deleted meanwhile stays, as it may still run
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName | spec.terminationGracePeriodSeconds |
        | web  | worker        | 5                                  |
      And the node "worker" has been cut off
      And the Node "worker" has come to be unreachable
      When the Pod "web" is deleted
      Then for 40 seconds the Pod "web" still has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |

    @id:silence.23 @core
    Scenario: Once its node is connected again the Pod goes
      Given the nodes "worker" have joined
      And these running Pods:
        | name | spec.nodeName | spec.terminationGracePeriodSeconds |
        | web  | worker        | 5                                  |
      And the node "worker" has been cut off
      And somebody has deleted the Pod "web"
      And 20 seconds have passed
      When the node "worker" is connected again
      Then within 90 seconds there is no Pod "web"
