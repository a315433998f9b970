Feature: Pods that nobody runs
  A Pod's end is its kubelet's business. Where there is no kubelet, because the Pod has no node, or its node is gone or
  out of service, somebody else has to see to it that the Pod is not left for ever.

  @req:PGC-1
  Rule: A Pod that no kubelet can remove is removed

    @id:lost-pods.01 @core
    Scenario: A Pod on a node that does not exist has failed, and goes
      Given a Pod "held" with:
        | field               | value               |
        | metadata.finalizers | [gherkube.dev/hold] |
        | spec.nodeName       | nowhere             |
      When a Pod "lost" is created with:
        | field         | value   |
        | spec.nodeName | nowhere |
      Then within 100 seconds there is no Pod "lost"
      And within 20 seconds the Pod "held" has:
        | field                                          | value          |
        | metadata.deletionTimestamp                     | (present)      |
        | status.phase                                   | Failed         |
        | status.conditions[type=DisruptionTarget].status | "True"        |
        | status.conditions[type=DisruptionTarget].reason | DeletionByPodGC |

    @id:lost-pods.02 @core @needs:pods.run
    Scenario: A Pod on a node that does exist is left alone
      Given these running Pods:
        | name |
        | a    |
      When a Pod "lost" is created with:
        | field         | value   |
        | spec.nodeName | nowhere |
      Then within 100 seconds there is no Pod "lost"
      And there is a Pod "a"

    @id:lost-pods.03 @core
    Scenario: A Pod that never had a node, and is on its way out, has failed
      Given a Pod "a" with:
        | field                | value                       |
        | metadata.finalizers  | [gherkube.dev/hold]         |
        | spec.schedulingGates | [{name: gherkube.dev/wait}] |
      When the Pod "a" is deleted
      Then within 60 seconds the Pod "a" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
        | status.phase               | Failed    |

    @id:lost-pods.04 @core
    Scenario: A Pod that stops on a node out of service is removed
      Given a Node "lost"
      And a Pod "a" with:
        | field                              | value |
        | spec.nodeName                      | lost  |
        | spec.terminationGracePeriodSeconds | 600   |
      And somebody has deleted the Pod "a"
      When the Node "lost" is updated:
        | field       | value                                                                                     |
        | spec.taints | [{key: node.kubernetes.io/out-of-service, value: nodeshutdown, effect: NoExecute}] |
      Then within 90 seconds there is no Pod "a"
