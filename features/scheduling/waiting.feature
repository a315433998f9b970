Feature: Waiting
  A Pod without a node waits for the scheduler that it names. It is bound once, by a request like any other; where no
  node fits, its condition PodScheduled says why, and it is tried again as soon as something changes in its favour.

  @req:SCH-2
  Rule: The binding is stored through the API server

    @id:waiting.01 @core
    Scenario: A bound Pod names its node and is scheduled
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" has:
        | field                                       | value  |
        | spec.nodeName                               | a      |
        | status.conditions[type=PodScheduled].status | "True" |

    @id:waiting.02 @extended
    Scenario: An Event tells of it
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created
      Then within 30 seconds an Event "Scheduled" tells of the Pod "web"

    @id:waiting.03 @core
    Scenario: A Pod that names another scheduler is left to that
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created with:
        | field              | value               |
        | spec.schedulerName | example.com-nobody |
      Then for 5 seconds the Pod "web" still has:
        | field                                | value    |
        | spec.nodeName                        | (absent) |
        | status.conditions[type=PodScheduled] | (absent) |

  @req:SCH-4
  Rule: Where no node fits the Pod stays Pending and its condition says why

    @id:waiting.04 @core
    Scenario: It is Pending and unschedulable
      Given these nodes:
        | name | cpu |
        | a    | 1   |
      When these Pods are created:
        | name | cpu |
        | web  | 2   |
      Then within 30 seconds the Pod "web" has:
        | field                                        | value         |
        | status.phase                                 | Pending       |
        | spec.nodeName                                | (absent)      |
        | status.conditions[type=PodScheduled].status  | "False"       |
        | status.conditions[type=PodScheduled].reason  | Unschedulable |
        | status.conditions[type=PodScheduled].message | (present)     |

    @id:waiting.05 @extended
    Scenario Outline: What is missing is named
      Given these nodes:
        | name | cpu | example.com/slot | labels   | taints   | unschedulable   | pods   |
        | a    | 2   | 1                | disk=ssd | <taints> | <unschedulable> | <pods> |
      And these Pods on nodes:
        | name | node | spec.containers[0].ports                 |
        | x    | a    | [{containerPort: 80, hostPort: 8080}] |
      When a Pod "web" is created with:
        | field              | value   |
        | metadata.labels.app | web     |
        | <field>            | <value> |
      Then within 30 seconds the Pod "web" fits nowhere because of "<why>"

      Examples:
        | taints             | unschedulable | pods | field                                       | value                                                      | why                                                       |
        |                    |               |      | spec.containers[0].resources.requests.cpu    | 3                                                          | Insufficient cpu                                          |
        |                    |               |      | spec.containers[0].resources.requests.memory | 9Gi                                                        | Insufficient memory                                       |
        |                    |               |      | spec.containers[0].resources                 | {requests: {example.com/slot: 2}, limits: {example.com/slot: 2}} | Insufficient example.com/slot                             |
        |                    |               | 1    | metadata.labels.x                           | y                                                          | Too many pods                                             |
        |                    |               |      | spec.nodeSelector                           | {disk: hdd}                                                | didn't match Pod's node affinity/selector                 |
        | gpu=yes:NoSchedule |               |      | metadata.labels.x                           | y                                                          | had untolerated taint                                     |
        |                    |               |      | spec.containers[0].ports                    | [{containerPort: 80, hostPort: 8080}]                      | didn't have free ports for the requested pod ports        |

    @id:waiting.06 @extended
    Scenario: An Event tells of it, too
      Given these nodes:
        | name | cpu |
        | a    | 1   |
      When these Pods are created:
        | name | cpu |
        | web  | 2   |
      Then within 30 seconds an Event "FailedScheduling" tells of the Pod "web"

  @req:SCH-7
  Rule: A Pod that waits is bound as soon as a node comes to fit

    @id:waiting.07 @core
    Scenario: A node joins
      Given these nodes:
        | name |
        | a    |
      And a Pod "web" with:
        | field             | value       |
        | spec.nodeSelector | {disk: ssd} |
      And the Pod "web" has fitted nowhere
      When these nodes join:
        | name | labels   |
        | b    | disk=ssd |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:waiting.08 @core
    Scenario: A node gets the label
      Given these nodes:
        | name |
        | a    |
      And a Pod "web" with:
        | field             | value       |
        | spec.nodeSelector | {disk: ssd} |
      And the Pod "web" has fitted nowhere
      When the Node "a" is changed by the merge patch:
        """
        metadata: {labels: {disk: ssd}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.09 @core
    Scenario: A node is uncordoned
      Given these nodes:
        | name | unschedulable |
        | a    | true          |
      And a Pod "web"
      And the Pod "web" has fitted nowhere
      When the Node "a" is changed by the merge patch:
        """
        spec: {unschedulable: null}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.10 @core
    Scenario: A node has more to give
      Given these nodes:
        | name | cpu |
        | a    | 1   |
      And a Pod "web" with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 2     |
      And the Pod "web" has fitted nowhere
      When the status of the Node "a" is updated:
        | field                  | value |
        | status.capacity.cpu    | "2"   |
        | status.allocatable.cpu | "2"   |
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.11 @core
    Scenario: A Pod goes
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      And these Pods on nodes:
        | name | node | cpu |
        | x    | a    | 3   |
      And a Pod "web" with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 2     |
      And the Pod "web" has fitted nowhere
      When the Pod "x" is deleted
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.12 @core
    Scenario: The company comes that it requires
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
      And a Pod "web" with:
        """
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      And the Pod "web" has fitted nowhere
      When these Pods are created:
        | name | labels |
        | db   | app=db |
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.13 @extended
    Scenario: It comes to tolerate a taint
      Given these nodes:
        | name | taints             |
        | a    | gpu=yes:NoSchedule |
      And a Pod "web"
      And the Pod "web" has fitted nowhere
      When the Pod "web" is changed by the JSON patch:
        """
        - {op: add, path: /spec/tolerations/-, value: {key: gpu, operator: Exists}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

  @req:SCH-13
  Rule: A Pod with scheduling gates is not looked at until the last of them is gone

    @id:waiting.14 @core
    Scenario: It waits, and its condition says for what
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created with:
        | field                | value                        |
        | spec.schedulingGates | [{name: example.com/quota}] |
      Then for 5 seconds the Pod "web" still has:
        | field                                       | value           |
        | spec.nodeName                               | (absent)        |
        | status.conditions[type=PodScheduled].status | "False"         |
        | status.conditions[type=PodScheduled].reason | SchedulingGated |

    @id:waiting.15 @core
    Scenario: The last gate is removed
      Given these nodes:
        | name |
        | a    |
      And a Pod "web" with:
        | field                | value                                                     |
        | spec.schedulingGates | [{name: example.com/quota}, {name: example.com/audit}] |
      And somebody has changed the Pod "web":
        | field                | value                        |
        | spec.schedulingGates | [{name: example.com/audit}] |
      When the Pod "web" is updated:
        | field                | value    |
        | spec.schedulingGates | (absent) |
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:waiting.16 @core
    Scenario: One gate of two is enough
      Given these nodes:
        | name |
        | a    |
      And a Pod "web" with:
        | field                | value                                                     |
        | spec.schedulingGates | [{name: example.com/quota}, {name: example.com/audit}] |
      When the Pod "web" is updated:
        | field                | value                        |
        | spec.schedulingGates | [{name: example.com/audit}] |
      Then for 5 seconds the Pod "web" still has:
        | field         | value    |
        | spec.nodeName | (absent) |
