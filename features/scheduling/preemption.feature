Feature: Preemption
  A Pod of higher priority that fits nowhere makes room for itself: the scheduler deletes Pods of lower priority from
  one node, as few and as unimportant ones as will do, and gives the node to the Pod once they are gone.

  @req:SCH-8
  Rule: A Pod that fits nowhere displaces Pods of lower priority, and only those

    Background:
      Given these PriorityClasses:
        | name | value | preemptionPolicy     |
        | high | 1000  |                      |
        | meek | 1000  | Never                |
        | low  | 10    |                      |

    @id:preemption.01 @core
    Scenario: The Pod gets the node, the other goes
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName |
        | small | a    | 3   | low                    |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds the Pod "big" is on the node "a"
      And within 10 seconds there is no Pod "small"

    @id:preemption.02 @core
    Scenario: A Pod of the same priority stays
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName |
        | equal | a    | 3   | high                   |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds the Pod "big" fits nowhere
      And there is a Pod "equal"

    @id:preemption.03 @core
    Scenario: A Pod whose policy is Never displaces nobody
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName |
        | small | a    | 3   | low                    |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | meek                   |
      Then within 30 seconds the Pod "big" fits nowhere
      And there is a Pod "small"

    @id:preemption.04 @core
    Scenario: Where it would not help nobody has to go
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName |
        | small | a    | 3   | low                    |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 5   | high                   |
      Then within 30 seconds the Pod "big" fits nowhere
      And there is a Pod "small"

    @id:preemption.05 @core
    Scenario: Nobody has to go from a node that the Pod does not select
      Given these nodes:
        | name | cpu | labels   |
        | a    | 4   | disk=ssd |
        | b    | 4   |          |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName | labels  |
        | small | a    | 3   | low                    | app=web |
        | other | b    | 1   | low                    | app=web |
      When these Pods are created:
        | name | cpu | spec.priorityClassName | spec.nodeSelector |
        | big  | 4   | high                   | {disk: ssd}       |
      Then within 30 seconds the Pod "big" is on the node "a"
      And the only Pods labelled "app=web" are "other"

    @id:preemption.06 @core
    Scenario: A Pod that keeps others at a distance is displaced for that, too
      Given these nodes:
        | name |
        | a    |
      And these Pods on nodes:
        | name  | node | spec.priorityClassName | labels |
        | small | a    | low                    | app=db |
      When a Pod "big" is created with:
        """
        spec:
          priorityClassName: high
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "big" is on the node "a"
      And within 10 seconds there is no Pod "small"

  @req:SCH-8
  Rule: As few Pods as will do have to go, and the least important ones

    Background:
      Given these PriorityClasses:
        | name | value |
        | high | 1000  |
        | mid  | 100   |
        | low  | 10    |

    @id:preemption.07 @core
    Scenario: No more Pods go than needed
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name | node | cpu | spec.priorityClassName | labels  |
        | x    | a    | 1   | low                    | app=web |
        | y    | a    | 1   | low                    | app=web |
        | z    | a    | 1   | low                    | app=web |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds the Pod "big" is on the node "a"
      And there are 2 Pods labelled "app=web"

    @id:preemption.08 @core
    Scenario: Of the Pods on a node the least important go
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name | node | cpu | spec.priorityClassName | labels  |
        | x    | a    | 2   | low                    | app=web |
        | y    | a    | 2   | mid                    | app=web |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds the Pod "big" is on the node "a"
      And the only Pods labelled "app=web" are "y"

    @id:preemption.09 @core
    Scenario: The node is chosen where those that go matter least
      Given these nodes:
        | name | cpu |
        | a    | 4   |
        | b    | 4   |
      And these Pods on nodes:
        | name | node | cpu | spec.priorityClassName |
        | x    | a    | 3   | mid                    |
        | y    | b    | 2   | low                    |
        | z    | b    | 2   | low                    |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 4   | high                   |
      Then within 30 seconds the Pod "big" is on the node "b"
      And there is a Pod "x"

    @id:preemption.10 @core
    Scenario: Among nodes where they matter the same the one where fewer go is chosen
      Given these nodes:
        | name | cpu |
        | a    | 4   |
        | b    | 4   |
      And these Pods on nodes:
        | name | node | cpu | spec.priorityClassName | labels  |
        | x    | a    | 2   | low                    | app=web |
        | y    | a    | 2   | low                    | app=web |
        | z    | b    | 4   | low                    | app=web |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 4   | high                   |
      Then within 30 seconds the Pod "big" is on the node "b"
      And the only Pods labelled "app=web" are "x" and "y"

    @id:preemption.11 @core
    Scenario: A disruption budget spares its Pods if others will do
      Given these nodes:
        | name | cpu |
        | a    | 4   |
        | b    | 4   |
      And a PodDisruptionBudget "guard" with:
        | field             | value                       |
        | spec.minAvailable | 1                           |
        | spec.selector     | {matchLabels: {guard: held}} |
      And these Pods on nodes:
        | name | node | cpu | spec.priorityClassName | labels               |
        | x    | a    | 4   | low                    | app=web, guard=held |
        | y    | b    | 2   | low                    | app=web             |
        | z    | b    | 2   | low                    | app=web             |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 4   | high                   |
      Then within 30 seconds the Pod "big" is on the node "b"
      And the only Pods labelled "app=web" are "x"

  @req:SCH-12
  Rule: Those that have to go get their grace period, and the room they leave is kept for whom they go

    Background:
      Given these PriorityClasses:
        | name | value |
        | high | 1000  |
        | low  | 10    |

    @id:preemption.12 @core
    Scenario: Until they are gone the Pod waits for its nominated node
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName | spec.terminationGracePeriodSeconds |
        | small | a    | 3   | low                    | 600                                |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds the Pod "big" has:
        | field                    | value    |
        | status.nominatedNodeName | a        |
        | spec.nodeName            | (absent) |
      And within 10 seconds the Pod "small" has:
        | field                                           | value                   |
        | metadata.deletionTimestamp                      | (present)               |
        | metadata.deletionGracePeriodSeconds             | 600                     |
        | status.conditions[type=DisruptionTarget].status | "True"                  |
        | status.conditions[type=DisruptionTarget].reason | PreemptionByScheduler |

    @id:preemption.13 @core
    Scenario: Once they are gone the Pod gets the node
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName | spec.terminationGracePeriodSeconds |
        | small | a    | 3   | low                    | 600                                |
      And a Pod "big" with:
        | field                                     | value |
        | spec.priorityClassName                    | high  |
        | spec.containers[0].resources.requests.cpu | 2     |
      And the Pod "big" has come to have:
        | field                    | value |
        | status.nominatedNodeName | a     |
      When the Pod "small" is deleted with:
        | option       | value |
        | grace period | 0     |
      Then within 30 seconds the Pod "big" is on the node "a"
      And the Pod "big" has:
        | field                    | value    |
        | status.nominatedNodeName | (absent) |

    @id:preemption.14 @core
    Scenario: The room is not given to a less important Pod in between
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName | spec.terminationGracePeriodSeconds |
        | small | a    | 3   | low                    | 600                                |
      And a Pod "big" with:
        | field                                     | value |
        | spec.priorityClassName                    | high  |
        | spec.containers[0].resources.requests.cpu | 4     |
      And the Pod "big" has come to have:
        | field                    | value |
        | status.nominatedNodeName | a     |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | late | 1   | low                    |
      Then within 30 seconds the Pod "late" fits nowhere

    @id:preemption.15 @extended
    Scenario: Whoever has to go is told in an Event
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name  | node | cpu | spec.priorityClassName |
        | small | a    | 3   | low                    |
      When these Pods are created:
        | name | cpu | spec.priorityClassName |
        | big  | 2   | high                   |
      Then within 30 seconds an Event "Preempted" tells of the Pod "small"
