@req:SCH-10
Feature: Company
  A Pod can ask to run near certain other Pods, or away from them. What is near is a label of nodes: those that share
  its value are one place, be it a host, a rack or a zone.

  Rule: A Pod that requires company gets a node in a place where such a Pod runs

    @id:company.01 @core
    Scenario: It comes to the place, not necessarily to the node
      Given these nodes:
        | name | labels  | pods |
        | a    | rack=r1 | 110  |
        | b    | rack=r2 | 1    |
        | c    | rack=r2 | 110  |
      And these Pods on nodes:
        | name | node | labels |
        | db   | b    | app=db |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" is on the node "c"

    @id:company.02 @core
    Scenario: Without such a Pod it waits
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" fits nowhere

    @id:company.03 @core
    Scenario: The first of Pods that want each other's company need not wait
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
              affinity:
                podAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution:
                    - {topologyKey: rack, labelSelector: {matchLabels: {app: web}}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node       | Pods |
        | (any of 1) | 3    |

    @id:company.04 @core
    Scenario: A node without the label is no place
      Given these nodes:
        | name | labels  | cpu |
        | a    |         | 4   |
      And these Pods on nodes:
        | name | node | labels |
        | db   | a    | app=db |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" fits nowhere

    @id:company.05 @core
    Scenario Outline: Pods of other namespaces count if the Pod says so
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
      And a Namespace "other" with:
        | field                | value |
        | metadata.labels.team | blue  |
      And these Pods on nodes:
        | name | namespace | node | labels |
        | db   | other     | a    | app=db |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}, namespaceSelector: <selector>}
        """
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | selector                     | node   |
        | null                         | (none) |
        | {matchLabels: {team: blue}}  | a      |
        | {matchLabels: {team: green}} | (none) |

  Rule: A Pod that requires distance gets no node in a place where such a Pod runs

    @id:company.06 @core
    Scenario: Pods that keep their distance are on a node each
      Given these nodes:
        | name |
        | a    |
        | b    |
      When a ReplicaSet "web" is created with:
        """
        spec:
          replicas: 3
          template:
            spec:
              affinity:
                podAntiAffinity:
                  requiredDuringSchedulingIgnoredDuringExecution:
                    - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | a      | 1    |
        | b      | 1    |
        | (none) | 1    |

    @id:company.07 @core
    Scenario: The whole place is taken, not the node alone
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
        | b    | rack=r1 |
      And these Pods on nodes:
        | name | node | labels |
        | db   | a    | app=db |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" fits nowhere

    @id:company.08 @core
    Scenario: A Pod that runs is kept at a distance from whom it does not want
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
        | b    | rack=r1 |
      And these Pods on nodes:
        | name | node | spec.affinity                                                                                                                                     |
        | db   | a    | {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: rack, labelSelector: {matchLabels: {app: web}}}]}} |
      When these Pods are created:
        | name | labels  |
        | web  | app=web |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:company.09 @extended
    Scenario: Replicas of one revision keep their distance from each other alone
      Given these nodes:
        | name |
        | a    |
      And these Pods on nodes:
        | name | node | labels            |
        | old  | a    | app=web, revision=1 |
      When a Pod "new" is created with:
        """
        metadata: {labels: {app: web, revision: "2"}}
        spec:
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - topologyKey: kubernetes.io/hostname
                  labelSelector: {matchLabels: {app: web}}
                  matchLabelKeys: [revision]
        """
      Then within 30 seconds the Pod "new" is on the node "a"

  Rule: A Pod that prefers company or distance gets it where it can

    @id:company.10 @core
    Scenario Outline: What is preferred decides between nodes that will do
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
        | b    | rack=r2 |
      And these Pods on nodes:
        | name | node      | labels |
        | db   | <db node> | app=db |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            <side>:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm: {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" is on the node "<node>"

      Examples:
        | side            | db node | node |
        | podAffinity     | a       | a    |
        | podAffinity     | b       | b    |
        | podAntiAffinity | a       | b    |
        | podAntiAffinity | b       | a    |

    @id:company.11 @core
    Scenario: A preference that cannot be met keeps nobody waiting
      Given these nodes:
        | name | labels  |
        | a    | rack=r1 |
      And these Pods on nodes:
        | name | node | labels |
        | db   | a    | app=db |
      When a Pod "web" is created with:
        """
        spec:
          affinity:
            podAntiAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm: {topologyKey: rack, labelSelector: {matchLabels: {app: db}}}
        """
      Then within 30 seconds the Pod "web" is on the node "a"
