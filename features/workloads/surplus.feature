@needs:pods.run
Feature: Surplus Pods
  When there are more Pods than a ReplicaSet asks for, some must go. Which ones is no matter of chance: those that do
  least good go first. The ReplicaSets of these scenarios find more Pods than they want.

  @req:RS-2
  Rule: What does least good is removed first

    @id:surplus.01 @core
    Scenario: Only as many are removed as are too many
      Given 5 running Pods labelled "app=web"
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 3     |
      Then within 30 seconds there are 3 Pods labelled "app=web"
      And for 5 seconds there are 3 ready Pods labelled "app=web"

    @id:surplus.02 @core
    Scenario: A Pod without a node goes before Pods on a node
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web | closed |
        | b    | app=web |        |
      And a Pod "c" with:
        | field                | value                       |
        | metadata.labels.app  | web                         |
        | spec.schedulingGates | [{name: gherkube.dev/wait}] |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the only Pods labelled "app=web" are "a" and "b"

    @id:surplus.03 @core
    Scenario: A Pod that does not run yet goes before one that runs
      Given these running Pods:
        | name | labels  | gate   |
        | a    | app=web | closed |
        | b    | app=web |        |
      And a Pod "c" with:
        | field               | value   |
        | metadata.labels.app | web     |
        | spec.nodeName       | nowhere |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the only Pods labelled "app=web" are "a" and "b"

    @id:surplus.04 @core
    Scenario Outline: A Pod that is not ready goes before those that are, be it the <which> to be made
      Given these running Pods:
        | name | labels  | gate  |
        | a    | app=web | <a>   |
        | b    | app=web | open  |
        | c    | app=web | <c>   |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the only Pods labelled "app=web" are <left>

      Examples:
        | which | a      | c      | left        |
        | first | closed | open   | "b" and "c" |
        | last  | open   | closed | "a" and "b" |

    @id:surplus.05 @core
    Scenario Outline: Of ready Pods the one that costs <least> goes first
      Given these running Pods:
        | name | labels  | metadata.annotations["controller.kubernetes.io/pod-deletion-cost"] |
        | a    | app=web | <a> |
        | b    | app=web | <b> |
        | c    | app=web | <c> |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the only Pods labelled "app=web" are <left>

      Examples:
        | least            | a     | b      | c       | left        |
        | the smallest sum | "100" | "-20"  | "30"    | "a" and "c" |
        | nothing          | "1"   | "2"    |         | "a" and "b" |
        | less than nothing |      | "-1"   |         | "a" and "c" |

    @id:surplus.06 @core
    Scenario: What a deletion costs does not save a Pod that is not ready
      Given these running Pods:
        | name | labels  | gate   | metadata.annotations["controller.kubernetes.io/pod-deletion-cost"] |
        | a    | app=web | closed | "1000" |
        | b    | app=web | open   | "-10"  |
        | c    | app=web | open   |        |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds the only Pods labelled "app=web" are "b" and "c"

    @id:surplus.07 @core
    Scenario: A cost that is no number is refused
      When a Pod "a" is created with:
        | field                                                            | value |
        | metadata.annotations["controller.kubernetes.io/pod-deletion-cost"] | cheap |
      Then the request is refused as Invalid for:
        | field                                                            | cause   |
        | metadata.annotations[controller.kubernetes.io/pod-deletion-cost] | invalid |
      And there is no Pod "a"

    @id:surplus.08 @extended
    Scenario: Of Pods that are otherwise alike one that shares its node goes first
      Given these running Pods:
        | name | labels          |
        | a    | app=web, side=1 |
      And a Pod "b" with:
        """
        metadata: {labels: {app: web}}
        spec:
          affinity:
            podAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - labelSelector: {matchLabels: {side: "1"}}
                  topologyKey: kubernetes.io/hostname
        """
      And a Pod "c" with:
        """
        metadata: {labels: {app: web}}
        spec:
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
                - labelSelector: {matchLabels: {side: "1"}}
                  topologyKey: kubernetes.io/hostname
        """
      And a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      When the scale of the ReplicaSet "web" is updated:
        | field         | value |
        | spec.replicas | 2     |
      Then within 30 seconds there are 2 Pods labelled "app=web"
      And there is a Pod "c"

    @id:surplus.09 @core @needs:time.skip
    Scenario: Of Pods that are otherwise alike the one that was ready last goes first
      Given these running Pods:
        | name | labels  |
        | a    | app=web |
      And 10 minutes have passed
      And these running Pods:
        | name | labels  |
        | b    | app=web |
      When a ReplicaSet "web" is created with:
        | field         | value |
        | spec.replicas | 1     |
      Then within 30 seconds the only Pods labelled "app=web" are "a"

    @id:surplus.10 @core
    Scenario: Each Pod that is removed is told of by an Event
      Given a running ReplicaSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      When the ReplicaSet "web" is updated:
        | field         | value |
        | spec.replicas | 1     |
      Then within 60 seconds there are 2 Events where "involvedObject.kind=ReplicaSet,involvedObject.name=web,reason=SuccessfulDelete"
