Feature: Compute quotas
  A ResourceQuota caps the CPU and memory that all Pods of its namespace request together, and that they are limited
  to. So that it can be added up, every container says what it needs; what has ended needs nothing any more.

  @req:QUO-14
  Rule: A quota caps the sum of the requests and the sum of the limits of all Pods

    @id:compute-quotas.01 @core
    Scenario Outline: A Pod that brings <resource> to the quota exactly is admitted
      Given a ResourceQuota "sum" with:
        | field                   | value  |
        | spec.hard["<resource>"] | <hard> |
      And a Pod "first" with:
        | field                                | value   |
        | spec.containers[0].resources.<field> | <first> |
      When a Pod "second" is created with:
        | field                                | value    |
        | spec.containers[0].resources.<field> | <second> |
      Then the request is accepted
      And within 10 seconds the ResourceQuota "sum" has:
        | field                     | value  |
        | status.used["<resource>"] | <hard> |

      Examples:
        | resource        | field           | hard | first | second |
        | cpu             | requests.cpu    | "1"  | 600m  | 400m   |
        | requests.cpu    | requests.cpu    | "1"  | 600m  | 400m   |
        | memory          | requests.memory | 1Gi  | 600Mi | 424Mi  |
        | requests.memory | requests.memory | 1Gi  | 600Mi | 424Mi  |
        | limits.cpu      | limits.cpu      | "1"  | 600m  | 400m   |
        | limits.memory   | limits.memory   | 1Gi  | 600Mi | 424Mi  |

    @id:compute-quotas.02 @core @req:QUO-10
    Scenario Outline: A Pod that would bring <resource> just beyond the quota is refused
      Given a ResourceQuota "sum" with:
        | field                   | value  |
        | spec.hard["<resource>"] | <hard> |
      And a Pod "first" with:
        | field                                | value   |
        | spec.containers[0].resources.<field> | <first> |
      When a Pod "second" is created with:
        | field                                | value    |
        | spec.containers[0].resources.<field> | <second> |
      Then the request is refused as Forbidden
      And the refusal mentions "requested: <resource>=<second>"
      And the refusal mentions "used: <resource>=<first>"
      And there is no Pod "second"
      And the ResourceQuota "sum" has:
        | field                     | value   |
        | status.used["<resource>"] | <first> |

      Examples:
        | resource        | field           | hard | first | second |
        | cpu             | requests.cpu    | "1"  | 600m  | 401m   |
        | requests.cpu    | requests.cpu    | "1"  | 600m  | 401m   |
        | memory          | requests.memory | 1Gi  | 600Mi | 425Mi  |
        | requests.memory | requests.memory | 1Gi  | 600Mi | 425Mi  |
        | limits.cpu      | limits.cpu      | "1"  | 600m  | 401m   |
        | limits.memory   | limits.memory   | 1Gi  | 600Mi | 425Mi  |

    @id:compute-quotas.03 @core
    Scenario: Requests and limits are counted apart
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | "5"   |
        | spec.hard["limits.cpu"]   | "5"   |
      When a Pod "web" is created with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 200m  |
        | spec.containers[0].resources.limits.cpu   | 700m  |
      Then within 10 seconds the ResourceQuota "sum" has:
        | field                       | value |
        | status.used["requests.cpu"] | 200m  |
        | status.used["limits.cpu"]   | 700m  |

    @id:compute-quotas.04 @core
    Scenario Outline: Containers of 200m and 300m after an init container of <init> use <used>
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | "5"   |
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - {name: first, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <init>}}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 200m}}}
            - {name: side, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 300m}}}
        """
      Then within 10 seconds the ResourceQuota "sum" has:
        | field                       | value  |
        | status.used["requests.cpu"] | <used> |

      Examples:
        | init | used |
        | 400m | 500m |
        | 800m | 800m |

    @id:compute-quotas.05 @core @req:QUO-12
    Scenario: Of Pods that are created at once only those that fit together are admitted
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | "1"   |
      When 10 Pods named "web-01" to "web-10" are created at once with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 300m  |
      Then exactly 3 of the requests are accepted, and the others refused as Forbidden
      And within 10 seconds the ResourceQuota "sum" has:
        | field                       | value |
        | status.used["requests.cpu"] | 900m  |

    @id:compute-quotas.06 @core @req:QUO-15
    Scenario: A deleted Pod gives back what it requested
      Given a ResourceQuota "sum" with:
        | field                        | value |
        | spec.hard["requests.cpu"]    | "1"   |
        | spec.hard["requests.memory"] | 1Gi   |
      And these Pods:
        | name  | spec.containers[0].resources.requests |
        | large | {cpu: 700m, memory: 700Mi}            |
        | small | {cpu: 100m, memory: 100Mi}            |
      When the Pod "large" is deleted
      Then within 1 minute the ResourceQuota "sum" has:
        | field                          | value |
        | status.used["requests.cpu"]    | 100m  |
        | status.used["requests.memory"] | 100Mi |

  @req:QUO-13
  Rule: Where a quota covers CPU or memory, every container must say what it needs of it

    @id:compute-quotas.07 @core
    Scenario Outline: A Pod that does not state its <resource> is refused
      Given a ResourceQuota "sum" with:
        | field                   | value |
        | spec.hard["<resource>"] | 8Gi   |
      When a Pod "web" is created
      Then the request is refused as Forbidden
      And the refusal mentions "<resource>"
      And there is no Pod "web"

      Examples:
        | resource        |
        | cpu             |
        | memory          |
        | requests.cpu    |
        | requests.memory |
        | limits.cpu      |
        | limits.memory   |

    @id:compute-quotas.08 @core
    Scenario Outline: One of the <containers> that states nothing is enough for a refusal
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | "1"   |
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 100m}}}
            <more>
          <init>
        """
      Then the request is refused as Forbidden
      And the refusal mentions "silent"
      And there is no Pod "web"

      Examples:
        | containers      | more                                                | init                                                                |
        | containers      | - {name: silent, image: registry.k8s.io/pause:3.10} |                                                                     |
        | init containers |                                                     | initContainers: [{name: silent, image: registry.k8s.io/pause:3.10}] |

    @id:compute-quotas.09 @core
    Scenario: What a LimitRange fills in satisfies the quota, and is charged
      Given a LimitRange "defaults" with:
        """
        spec:
          limits:
            - type: Container
              default: {cpu: "1"}
              defaultRequest: {cpu: 250m}
        """
      And a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard["requests.cpu"] | "5"   |
        | spec.hard["limits.cpu"]   | "5"   |
      When a Pod "web" is created
      Then the request is accepted
      And within 10 seconds the ResourceQuota "sum" has:
        | field                       | value |
        | status.used["requests.cpu"] | 250m  |
        | status.used["limits.cpu"]   | "1"   |

    @id:compute-quotas.10 @core
    Scenario: Where a quota covers the number of Pods alone, a Pod need not state anything
      Given a ResourceQuota "few" with:
        | field          | value |
        | spec.hard.pods | "1"   |
      When a Pod "web" is created
      Then the request is accepted

  @req:QUO-11
  Rule: What has ended uses nothing any more

    @id:compute-quotas.11 @core @needs:pods.run
    Scenario: A Pod that has failed counts as an object only
      Given a ResourceQuota "sum" with:
        | field                     | value |
        | spec.hard.pods            | "5"   |
        | spec.hard["count/pods"]   | "5"   |
        | spec.hard["requests.cpu"] | "5"   |
      And a Pod "lasting" with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 10m   |
      When a Pod "brief" is created with:
        | field                                     | value |
        | spec.activeDeadlineSeconds                | 1     |
        | spec.containers[0].resources.requests.cpu | 20m   |
      Then within 1 minute the Pod "brief" has:
        | field        | value  |
        | status.phase | Failed |
      And within 1 minute the ResourceQuota "sum" has:
        | field                       | value |
        | status.used.pods            | "1"   |
        | status.used["count/pods"]   | "2"   |
        | status.used["requests.cpu"] | 10m   |

    @id:compute-quotas.12 @core
    Scenario: A new quota adds up the Pods that are there
      Given these Pods:
        | name | spec.containers[0].resources.requests |
        | a    | {cpu: 10m, memory: 16Mi}              |
        | b    | {cpu: 20m, memory: 32Mi}              |
        | c    | {cpu: 30m}                            |
      When a ResourceQuota "sum" is created with:
        | field                        | value |
        | spec.hard.pods               | "5"   |
        | spec.hard["requests.cpu"]    | "1"   |
        | spec.hard["requests.memory"] | 1Gi   |
      Then within 10 seconds the ResourceQuota "sum" has:
        | field                          | value |
        | status.used.pods               | "3"   |
        | status.used["requests.cpu"]    | 60m   |
        | status.used["requests.memory"] | 48Mi  |

  @req:QUO-18
  Rule: A quota with a scope counts only the Pods of the scope

    @id:compute-quotas.13 @core
    Scenario Outline: A quota of scope <scope> counts <counted> of a Pod with <field> <value>
      Given a ResourceQuota "scoped" with:
        | field          | value     |
        | spec.scopes    | [<scope>] |
        | spec.hard.pods | "5"       |
      When a Pod "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is accepted
      And for 5 seconds the ResourceQuota "scoped" still has:
        | field            | value       |
        | status.used.pods | "<counted>" |

      Examples:
        | scope          | field                                      | value | counted |
        | BestEffort     | metadata.labels.app                        | web   | 1       |
        | BestEffort     | spec.containers[0].resources.requests.cpu  | 10m   | 0       |
        | NotBestEffort  | metadata.labels.app                        | web   | 0       |
        | NotBestEffort  | spec.containers[0].resources.limits.memory | 64Mi  | 1       |
        | Terminating    | spec.activeDeadlineSeconds                 | 3600  | 1       |
        | Terminating    | metadata.labels.app                        | web   | 0       |
        | NotTerminating | spec.activeDeadlineSeconds                 | 3600  | 0       |
        | NotTerminating | metadata.labels.app                        | web   | 1       |

    @id:compute-quotas.14 @core
    Scenario Outline: Where no Pods of the scope BestEffort are allowed, one with <field> <value> is <outcome>
      Given a ResourceQuota "scoped" with:
        | field          | value        |
        | spec.scopes    | [BestEffort] |
        | spec.hard.pods | "0"          |
      When a Pod "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is <outcome>

      Examples:
        | field                                     | value | outcome              |
        | metadata.labels.app                       | web   | refused as Forbidden |
        | spec.containers[0].resources.requests.cpu | 10m   | accepted             |

    @id:compute-quotas.15 @core
    Scenario: A Pod counts where it is of every scope of the quota
      Given a ResourceQuota "scoped" with:
        | field          | value                     |
        | spec.scopes    | [BestEffort, Terminating] |
        | spec.hard.pods | "5"                       |
      And these Pods:
        | name    | spec.activeDeadlineSeconds | spec.containers[0].resources.requests |
        | neither |                            | {cpu: 10m}                            |
        | one     |                            |                                       |
        | other   | 3600                       | {cpu: 10m}                            |
      When a Pod "both" is created with:
        | field                      | value |
        | spec.activeDeadlineSeconds | 3600  |
      Then within 10 seconds the ResourceQuota "scoped" has:
        | field            | value |
        | status.used.pods | "1"   |

    @id:compute-quotas.16 @core
    Scenario Outline: A quota for priority classes <operator> <classes> counts <counted> of a Pod of the class "high"
      Given these PriorityClasses:
        | name | value |
        | high | 1000  |
        | low  | 10    |
      And a ResourceQuota "scoped" with:
        """
        spec:
          hard: {pods: "5"}
          scopeSelector:
            matchExpressions:
              - {scopeName: PriorityClass, operator: <operator>, values: <classes>}
        """
      When a Pod "web" is created with:
        | field                  | value |
        | spec.priorityClassName | high  |
      Then the request is accepted
      And for 5 seconds the ResourceQuota "scoped" still has:
        | field            | value       |
        | status.used.pods | "<counted>" |

      Examples:
        | operator     | classes     | counted |
        | In           | [high]      | 1       |
        | In           | [low]       | 0       |
        | NotIn        | [low]       | 1       |
        | NotIn        | [low, high] | 0       |
        | Exists       | []          | 1       |
        | DoesNotExist | []          | 0       |

    @id:compute-quotas.17 @core @req:QUO-20
    Scenario Outline: A quota of the scopes <scopes> for <resource> is refused
      When a ResourceQuota "odd" is created with:
        | field                   | value    |
        | spec.scopes             | <scopes> |
        | spec.hard["<resource>"] | "5"      |
      Then the request is refused as Invalid for:
        | field       | cause   |
        | spec.scopes | invalid |
      And there is no ResourceQuota "odd"

      Examples:
        | scopes                        | resource     |
        | [BestEffort, NotBestEffort]   | pods         |
        | [Terminating, NotTerminating] | pods         |
        | [BestEffort]                  | requests.cpu |
        | [NotBestEffort]               | secrets      |
        | [Sometimes]                   | pods         |

    @id:compute-quotas.18 @core
    Scenario: The scopes of a quota stay as they are
      Given a ResourceQuota "scoped" with:
        | field          | value        |
        | spec.scopes    | [BestEffort] |
        | spec.hard.pods | "5"          |
      When the ResourceQuota "scoped" is updated:
        | field       | value         |
        | spec.scopes | [Terminating] |
      Then the request is refused as Invalid for:
        | field       | cause   |
        | spec.scopes | invalid |
