@req:SCH-11
Feature: Spreading
  A constraint says of the Pods that a selector selects how many more of them one place may have than another. The
  places are the values of a label of nodes, such as their zone.

  Rule: No place gets so many more Pods than the emptiest as to exceed maxSkew

    @id:spreading.01 @core
    Scenario: Pods are spread over places, however large those are
      Given these nodes:
        | name | labels  | cpu | memory |
        | a    | rack=r1 | 64  | 256Gi  |
        | b    | rack=r2 | 4   | 8Gi    |
      When a ReplicaSet "web" is created with:
        """
        spec:
          replicas: 4
          template:
            spec:
              topologySpreadConstraints:
                - maxSkew: 1
                  topologyKey: rack
                  whenUnsatisfiable: DoNotSchedule
                  labelSelector: {matchLabels: {app: web}}
              containers:
                - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 500m, memory: 1Gi}}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node | Pods |
        | a    | 2    |
        | b    | 2    |

    @id:spreading.02 @core
    Scenario Outline: Up to the skew a place may be fuller, and no further
      Given these nodes:
        | name | labels  | pods |
        | a    | rack=r1 | 110  |
        | b    | rack=r2 | 1    |
      And these Pods on nodes:
        | name | node | labels |
        | full | b    | app=db |
      When a ReplicaSet "web" is created with:
        """
        spec:
          replicas: 4
          template:
            spec:
              topologySpreadConstraints:
                - maxSkew: <skew>
                  topologyKey: rack
                  whenUnsatisfiable: DoNotSchedule
                  labelSelector: {matchLabels: {app: web}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods      |
        | a      | <skew>    |
        | (none) | <waiting> |

      Examples:
        | skew | waiting |
        | 1    | 3       |
        | 3    | 1       |

    @id:spreading.03 @core
    Scenario: Only the Pods that the selector selects count
      Given these nodes:
        | name | labels  | pods |
        | a    | rack=r1 | 110  |
        | b    | rack=r2 | 1    |
      And a Namespace "other"
      And these Pods on nodes:
        | name   | namespace | node | labels  |
        | full   | home      | b    | app=web |
        | db-1   | home      | a    | app=db  |
        | db-2   | home      | a    | app=db  |
        | far-1  | other     | a    | app=web |
        | far-2  | other     | a    | app=web |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          topologySpreadConstraints:
            - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:spreading.04 @core
    Scenario: A node without the label gets none of them
      Given these nodes:
        | name | labels  | cpu |
        | a    | rack=r1 | 4   |
        | b    |         | 64  |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          topologySpreadConstraints:
            - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 2, memory: 1Gi}}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:spreading.05 @extended
    Scenario Outline: Too few places count as empty ones
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
        | b    | rack=r2 |
      When a ReplicaSet "web" is created with:
        """
        spec:
          replicas: 3
          template:
            spec:
              topologySpreadConstraints:
                - maxSkew: 1
                  minDomains: <places>
                  topologyKey: rack
                  whenUnsatisfiable: DoNotSchedule
                  labelSelector: {matchLabels: {app: web}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node       | Pods      |
        | (any of 1) | 1         |
        | (any of 1) | <other>   |
        | (none)     | <waiting> |

      Examples:
        | places | other | waiting |
        | 3      | 1     | 1       |
        | 2      | 2     | 0       |

    @id:spreading.06 @extended
    Scenario Outline: A place counts that the Pod does not select, if the Pod says so
      Given these nodes:
        | name | labels           |
        | a    | rack=r1, tier=web |
        | b    | rack=r2           |
      And these Pods on nodes:
        | name | node | labels  |
        | old  | a    | app=web |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web, new: "true"}}
        spec:
          nodeSelector: {tier: web}
          topologySpreadConstraints:
            - maxSkew: 1
              topologyKey: rack
              whenUnsatisfiable: DoNotSchedule
              labelSelector: {matchLabels: {app: web}}
              nodeAffinityPolicy: <policy>
        """
      Then within 30 seconds the Pods labelled "new=true" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | policy | node   |
        | null   | a      |
        | Honor  | a      |
        | Ignore | (none) |

    @id:spreading.07 @extended
    Scenario Outline: A place counts that does not take the Pod, unless the Pod says otherwise
      Given these nodes:
        | name | labels  | taints             |
        | a    | rack=r1 |                    |
        | b    | rack=r2 | gpu=yes:NoSchedule |
      And these Pods on nodes:
        | name | node | labels  |
        | old  | a    | app=web |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web, new: "true"}}
        spec:
          topologySpreadConstraints:
            - maxSkew: 1
              topologyKey: rack
              whenUnsatisfiable: DoNotSchedule
              labelSelector: {matchLabels: {app: web}}
              nodeTaintsPolicy: <policy>
        """
      Then within 30 seconds the Pods labelled "new=true" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | policy | node   |
        | null   | (none) |
        | Ignore | (none) |
        | Honor  | a      |

    @id:spreading.08 @extended
    Scenario: Replicas of one revision are spread among themselves
      Given these nodes:
        | name | labels  | pods |
        | a    | rack=r1 | 110  |
        | b    | rack=r2 | 1    |
      And these Pods on nodes:
        | name | node | labels              |
        | full | b    | app=db              |
        | old  | a    | app=web, revision=1 |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web, revision: "2"}}
        spec:
          topologySpreadConstraints:
            - maxSkew: 1
              topologyKey: rack
              whenUnsatisfiable: DoNotSchedule
              labelSelector: {matchLabels: {app: web}}
              matchLabelKeys: [revision]
        """
      Then within 30 seconds the Pod "web" is on the node "a"

  Rule: A constraint that need not hold decides between nodes that will do

    @id:spreading.09 @core
    Scenario: The emptier place is preferred
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
        | b    | rack=r2 |
      And these Pods on nodes:
        | name | node | labels  | cpu | memory |
        | old  | a    | app=web |     |        |
        | db   | b    | app=db  | 1   | 2Gi    |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          topologySpreadConstraints:
            - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
        """
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:spreading.10 @core
    Scenario: Where it cannot hold nobody waits
      Given these nodes:
        | name | labels  | pods |
        | a    | rack=r1 | 110  |
        | b    | rack=r2 | 1    |
      And these Pods on nodes:
        | name | node | labels  |
        | full | b    | app=db  |
        | old  | a    | app=web |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          topologySpreadConstraints:
            - {maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:spreading.11 @extended
    Scenario: The Pods of a Service are spread without being told to
      Given a Service "web" with:
        | field         | value      |
        | spec.selector | {app: web} |
      And these nodes:
        | name | cpu | memory |
        | a    | 64  | 256Gi  |
        | b    | 16  | 64Gi   |
      When these Pods are created:
        | name | labels  | cpu  | memory |
        | p1   | app=web | 100m | 400Mi  |
        | p2   | app=web | 100m | 400Mi  |
        | p3   | app=web | 100m | 400Mi  |
        | p4   | app=web | 100m | 400Mi  |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node | Pods |
        | a    | 2    |
        | b    | 2    |
