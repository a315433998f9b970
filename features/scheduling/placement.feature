Feature: Placement
  A Pod says by labels which nodes it wants, a node says by taints which Pods it does not want. What is required must
  hold for a Pod to be bound; what is preferred decides between nodes that will do.

  @req:SCH-1
  Rule: A Pod gets only a node that it selects

    @id:placement.01 @core
    Scenario: A node must have every label that the Pod selects
      Given these nodes:
        | name | labels             |
        | a    | disk=ssd           |
        | b    | disk=ssd, tier=web |
        | c    | tier=web           |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 2   | 4Gi    |
      When a Pod "web" is created with:
        | field             | value                  |
        | spec.nodeSelector | {disk: ssd, tier: web} |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:placement.02 @core
    Scenario: Without such a node the Pod waits
      Given these nodes:
        | name | labels   |
        | a    | disk=hdd |
      When a Pod "web" is created with:
        | field             | value       |
        | spec.nodeSelector | {disk: ssd} |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:placement.03 @core
    Scenario Outline: Node affinity compares labels in six ways
      Given these nodes:
        | name | labels           |
        | a    | disk=ssd, size=5 |
        | b    | size=20          |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            nodeAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                nodeSelectorTerms:
                  - matchExpressions: [<expression>]
        """
      Then within 30 seconds the Pod "web" is on the node "<node>"

      Examples:
        | expression                                  | node |
        | {key: disk, operator: In, values: [x, ssd]} | a    |
        | {key: disk, operator: NotIn, values: [ssd]} | b    |
        | {key: disk, operator: Exists}               | a    |
        | {key: disk, operator: DoesNotExist}         | b    |
        | {key: size, operator: Gt, values: ["5"]}    | b    |
        | {key: size, operator: Lt, values: ["20"]}   | a    |

    @id:placement.04 @core
    Scenario Outline: One of several terms must hold, and all of what it says
      Given these nodes:
        | name | labels           |
        | a    | disk=ssd, size=5 |
        | b    | disk=hdd, size=9 |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          affinity:
            nodeAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                nodeSelectorTerms: <terms>
        """
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | terms                                                                                                            | node   |
        | [{matchExpressions: [{key: x, operator: Exists}]}, {matchExpressions: [{key: size, operator: In, values: ["9"]}]}] | b      |
        | [{matchExpressions: [{key: disk, operator: In, values: [ssd]}, {key: size, operator: In, values: ["9"]}]}]          | (none) |

    @id:placement.05 @core
    Scenario: Node affinity can name a node
      Given these nodes:
        | name |
        | a    |
        | b    |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            nodeAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                nodeSelectorTerms:
                  - matchFields: [{key: metadata.name, operator: In, values: [b]}]
        """
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:placement.06 @core
    Scenario: Selector and affinity must both hold
      Given these nodes:
        | name | labels   |
        | a    | disk=ssd |
        | b    | tier=web |
      When a Pod "web" is created with:
        """
        spec:
          nodeSelector: {disk: ssd}
          affinity:
            nodeAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                nodeSelectorTerms:
                  - matchExpressions: [{key: tier, operator: Exists}]
        """
      Then within 30 seconds the Pod "web" fits nowhere

  @req:SCH-9
  Rule: Of the nodes that will do a Pod gets the one that it prefers

    @id:placement.07 @core
    Scenario: The preference that weighs more decides
      Given these nodes:
        | name | labels   |
        | a    | tier=web |
        | b    | disk=ssd |
        | c    |          |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            nodeAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - {weight: 10, preference: {matchExpressions: [{key: tier, operator: Exists}]}}
                - {weight: 90, preference: {matchExpressions: [{key: disk, operator: Exists}]}}
        """
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:placement.08 @core
    Scenario: A preference that no node meets keeps nobody waiting
      Given these nodes:
        | name |
        | a    |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            nodeAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - {weight: 100, preference: {matchExpressions: [{key: disk, operator: Exists}]}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:placement.09 @core
    Scenario: A node that would rather have none gets a Pod last
      Given these nodes:
        | name | taints                    |
        | a    | spare=yes:PreferNoSchedule |
        | b    |                           |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 2   | 4Gi    |
      When these Pods are created:
        | name | cpu | memory |
        | web  | 1   | 2Gi    |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:placement.10 @core
    Scenario: But it gets a Pod that fits nowhere else
      Given these nodes:
        | name | taints                    |
        | a    | spare=yes:PreferNoSchedule |
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" is on the node "a"

  @req:SCH-1
  Rule: A tainted node takes only Pods that tolerate each of its taints

    @id:placement.11 @core
    Scenario Outline: A taint keeps Pods off
      Given these nodes:
        | name | taints           |
        | a    | gpu=yes:<effect> |
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" fits nowhere

      Examples:
        | effect     |
        | NoSchedule |
        | NoExecute  |

    @id:placement.12 @core
    Scenario Outline: A Pod tolerates a taint by key, value and effect, or by less
      Given these nodes:
        | name | taints             |
        | a    | gpu=yes:NoSchedule |
      When a Pod "web" is created with:
        | field            | value          |
        | spec.tolerations | [<toleration>] |
      Then within 30 seconds the Pod "web" is on the node "a"

      Examples:
        | toleration                                                 |
        | {key: gpu, operator: Equal, value: "yes", effect: NoSchedule} |
        | {key: gpu, value: "yes"}                                    |
        | {key: gpu, operator: Exists}                               |
        | {operator: Exists}                                         |

    @id:placement.13 @core
    Scenario Outline: A toleration of another taint is none
      Given these nodes:
        | name | taints             |
        | a    | gpu=yes:NoSchedule |
      When a Pod "web" is created with:
        | field            | value          |
        | spec.tolerations | [<toleration>] |
      Then within 30 seconds the Pod "web" fits nowhere

      Examples:
        | toleration                                      |
        | {key: gpu, value: "no"}                         |
        | {key: cpu, operator: Exists}                    |
        | {key: gpu, operator: Exists, effect: NoExecute} |

    @id:placement.14 @core
    Scenario: One taint that is not tolerated is enough
      Given these nodes:
        | name | taints                                |
        | a    | gpu=yes:NoSchedule team=x:NoSchedule |
        | b    | gpu=yes:NoSchedule                    |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | b    | 3   | 6Gi    |
      When a Pod "web" is created with:
        | field            | value                           |
        | spec.tolerations | [{key: gpu, operator: Exists}] |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:placement.15 @core
    Scenario: A cordoned node takes no Pods
      Given these nodes:
        | name | unschedulable |
        | a    | true          |
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" fits nowhere

  @req:SCH-1
  Rule: A port of a node is given to one Pod

    @id:placement.16 @core
    Scenario Outline: Two Pods cannot have one port of a node
      Given these nodes:
        | name |
        | a    |
      And these Pods on nodes:
        | name | node | spec.containers[0].ports                            |
        | x    | a    | [{containerPort: 80, hostPort: 8080, hostIP: <first>}] |
      When these Pods are created:
        | name | labels  | spec.containers[0].ports                                                                |
        | web  | app=web | [{containerPort: 80, hostPort: <port>, protocol: <protocol>, hostIP: <second>}] |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | first     | port | protocol | second    | node   |
        | 0.0.0.0   | 8080 | TCP      | 0.0.0.0   | (none) |
        | 127.0.0.1 | 8080 | TCP      | 0.0.0.0   | (none) |
        | 127.0.0.1 | 8080 | TCP      | 127.0.0.2 | a      |
        | 0.0.0.0   | 8081 | TCP      | 0.0.0.0   | a      |
        | 0.0.0.0   | 8080 | UDP      | 0.0.0.0   | a      |

    @id:placement.17 @core
    Scenario: On another node the port is free
      Given these nodes:
        | name |
        | a    |
        | b    |
      When these Pods are created:
        | name | labels  | spec.containers[0].ports                 |
        | x    | app=web | [{containerPort: 80, hostPort: 8080}] |
        | y    | app=web | [{containerPort: 80, hostPort: 8080}] |
        | z    | app=web | [{containerPort: 80, hostPort: 8080}] |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | a      | 1    |
        | b      | 1    |
        | (none) | 1    |
