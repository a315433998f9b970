Feature: Validation of workloads
  A workload says how many Pods there should be, which ones are its own, and how the next ones look. The three must fit
  together when the workload is created, and the choice of its own Pods is made once.

  @req:API-5
  Rule: A workload selects the Pods that it describes

    @id:validation-workloads.01 @core
    Scenario Outline: A <kind> whose selector does not match its template is refused
      When a <kind> "web" is created with:
        | field      | value |
        | <selector> | other |
      Then the request is refused as Invalid for:
        | field                         | cause   |
        | spec.template.metadata.labels | invalid |
      And there is no <kind> "web"

      Examples:
        | kind                  | selector                      |
        | Deployment            | spec.selector.matchLabels.app |
        | ReplicaSet            | spec.selector.matchLabels.app |
        | StatefulSet           | spec.selector.matchLabels.app |
        | DaemonSet             | spec.selector.matchLabels.app |
        | ReplicationController | spec.selector.app             |

    @id:validation-workloads.02 @core
    Scenario Outline: A <kind> that selects everything is refused
      When a <kind> "web" is created with:
        | field         | value |
        | spec.selector | {}    |
      Then the request is refused as Invalid for:
        | field         | cause   |
        | spec.selector | invalid |
      And there is no <kind> "web"

      Examples:
        | kind        |
        | Deployment  |
        | ReplicaSet  |
        | StatefulSet |
        | DaemonSet   |

    @id:validation-workloads.03 @core
    Scenario: A Deployment without a selector matches nothing, not even its template
      When a Deployment "web" is created with:
        | field         | value    |
        | spec.selector | (absent) |
      Then the request is refused as Invalid for:
        | field                         | cause    |
        | spec.selector                 | required |
        | spec.template.metadata.labels | invalid  |
      And there is no Deployment "web"

    @id:validation-workloads.04 @core
    Scenario Outline: The selector of a <kind> cannot be changed
      Given a <kind> "web" with:
        | field      | value |
        | <at rest>  | <how> |
        | spec.template.metadata.labels.tier | front |
      When the <kind> "web" is updated:
        | field                          | value |
        | spec.selector.matchLabels.tier | front |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And the <kind> "web" has:
        | field                     | value      |
        | spec.selector.matchLabels | {app: web} |

      Examples:
        | kind        | at rest                         | how            | named         | cause     |
        | Deployment  | spec.paused                     | true           | spec.selector | invalid   |
        | ReplicaSet  | spec.replicas                   | 0              | spec.selector | invalid   |
        | StatefulSet | spec.replicas                   | 0              | spec          | forbidden |
        | DaemonSet   | spec.template.spec.nodeSelector | {nowhere: "1"} | spec.selector | invalid   |

  @req:API-5
  Rule: Numbers and strategies of a workload make sense together

    @id:validation-workloads.05 @core
    Scenario Outline: A <kind> is refused unless <rule>
      When a <kind> "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as Invalid for:
        | field   | cause   |
        | <named> | <cause> |
      And there is no <kind> "web"

      Examples:
        | rule                                               | kind        | field                         | value                            | named                                       | cause         |
        | its Pods are none or more               | Deployment  | spec.replicas                 | -1                               | spec.replicas                               | invalid       |
        | its members are none or more                   | StatefulSet | spec.replicas                 | -1                               | spec.replicas                               | invalid       |
        | its Pods are available once they are ready       | ReplicaSet  | spec.minReadySeconds          | -1                               | spec.minReadySeconds                        | invalid       |
        | it replaces its Pods in one of two ways  | Deployment  | spec.strategy                 | {type: Sudden}                   | spec.strategy                               | not supported |
        | what is recreated does not roll                | Deployment  | spec.strategy                 | {type: Recreate, rollingUpdate: {maxSurge: 1}} | spec.strategy.rollingUpdate   | forbidden     |
        | its rollout can move                     | Deployment  | spec.strategy                 | {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}} | spec.strategy.rollingUpdate.maxUnavailable | invalid |
        | no more than all Pods can be unavailable          | Deployment  | spec.strategy                 | {rollingUpdate: {maxUnavailable: 101%}} | spec.strategy.rollingUpdate.maxUnavailable | invalid |
        | progress may take longer than becoming available      | Deployment  | spec.minReadySeconds          | 600                              | spec.progressDeadlineSeconds                | invalid       |
        | its Pods are always restarted          | Deployment  | spec.template.spec.restartPolicy | Never                         | spec.template.spec.restartPolicy            | not supported |
        | its Pods can come to an end                             | Job         | spec.template.spec.restartPolicy | Always                        | spec.template.spec.restartPolicy            | required      |
        | it fails none or more times                      | Job         | spec.backoffLimit             | -1                               | spec.backoffLimit                           | invalid       |
        | it says when, in five fields                | CronJob     | spec.schedule                 | "* * * *"                        | spec.schedule                               | invalid       |
        | its members come in order or all at once               | StatefulSet | spec.podManagementPolicy      | Random                           | spec.podManagementPolicy                    | invalid       |
        | its partition begins at a member                     | StatefulSet | spec.updateStrategy           | {rollingUpdate: {partition: -1}} | spec.updateStrategy.rollingUpdate.partition | invalid       |

    @id:validation-workloads.06 @core
    Scenario: Everything that is wrong with a Deployment is told at once
      When a Deployment "web" is created with:
        | field                                 | value   |
        | spec.replicas                         | -1      |
        | spec.strategy.type                    | Sudden  |
        | spec.template.metadata.labels.app     | other   |
        | spec.template.spec.containers[0].name | Main    |
        | metadata.labels["not a label"]        | ""      |
      Then the request is refused as Invalid for:
        | field                                 | cause         |
        | metadata.labels                       | invalid       |
        | spec.replicas                         | invalid       |
        | spec.strategy                         | not supported |
        | spec.template.metadata.labels         | invalid       |
        | spec.template.spec.containers[0].name | invalid       |
      And there is no Deployment "web"

    @id:validation-workloads.07 @core
    Scenario: Of a StatefulSet the service's name is fixed, and the number of members is not
      Given a StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the StatefulSet "web" is updated:
        | field            | value |
        | spec.serviceName | other |
        | spec.replicas    | -1    |
      Then the request is refused as Invalid for:
        | field         | cause     |
        | spec          | forbidden |
        | spec.replicas | invalid   |
      And the StatefulSet "web" has:
        | field            | value |
        | spec.serviceName | web   |
        | spec.replicas    | 0     |

    @id:validation-workloads.08 @core
    Scenario: A Job keeps its template
      Given a Job "once" with:
        | field        | value |
        | spec.suspend | true  |
      When the Job "once" is updated:
        | field                                  | value |
        | spec.template.spec.containers[0].image | other |
        | spec.completions                       | 2     |
      Then the request is refused as Invalid for:
        | field              | cause   |
        | spec.template.spec | invalid |
        | spec.completions   | invalid |
      And the Job "once" has:
        | field                                  | value                     |
        | spec.template.spec.containers[0].image | registry.k8s.io/pause:3.10 |
        | spec.completions                       | 1                         |

    @id:validation-workloads.09 @core
    Scenario: What may change of a workload can be changed
      Given a Deployment "web" with:
        | field       | value |
        | spec.paused | true  |
      When the Deployment "web" is updated:
        | field                                  | value |
        | spec.replicas                          | 3     |
        | spec.strategy                          | {type: Recreate} |
        | spec.template.spec.containers[0].image | web   |
      Then the request is accepted
      And the Deployment "web" has:
        | field                                  | value            |
        | spec.replicas                          | 3                |
        | spec.strategy                          | {type: Recreate} |
        | spec.template.spec.containers[0].image | web              |
