Feature: Selectors of objects
  Some objects select others. The newer kinds of workload do it by requirements such as a list of objects can be asked
  for by; Services and ReplicationControllers by a plain map of labels, each of which must be equal.

  @req:SEL-5
  Rule: ReplicaSets, Deployments and StatefulSets select by expressions

    @id:selectors.01 @core
    Scenario Outline: A <kind> selects by labels and by expressions
      When a <kind> "web" is created with:
        """
        spec:
          replicas: 0
          selector:
            matchLabels: {app: web}
            matchExpressions:
              - {key: tier, operator: In, values: [front, back]}
              - {key: color, operator: NotIn, values: [red]}
              - {key: tier, operator: Exists}
              - {key: retired, operator: DoesNotExist}
          template:
            metadata:
              labels: {app: web, tier: front}
        """
      Then the request is accepted
      And the <kind> "web" has:
        | field                                      | value         |
        | spec.selector.matchLabels.app              | web           |
        | spec.selector.matchExpressions[0].values   | [front, back] |
        | spec.selector.matchExpressions[1].operator | NotIn         |
        | spec.selector.matchExpressions[3].key      | retired       |

      Examples:
        | kind        |
        | ReplicaSet  |
        | Deployment  |
        | StatefulSet |

    @id:selectors.02 @core
    Scenario Outline: A <kind> that would not select its own Pods is refused
      When a <kind> "web" is created with:
        """
        spec:
          replicas: 0
          selector:
            matchLabels: {app: web}
            matchExpressions:
              - {key: tier, operator: NotIn, values: [front]}
          template:
            metadata:
              labels: {app: web, tier: front}
        """
      Then the request is refused as Invalid for:
        | field                         | cause   |
        | spec.template.metadata.labels | invalid |
      And there is no <kind> "web"

      Examples:
        | kind        |
        | ReplicaSet  |
        | Deployment  |
        | StatefulSet |

  @req:SEL-5
  Rule: Services and ReplicationControllers select by a map of labels

    @id:selectors.03 @core
    Scenario Outline: A <kind> does not know expressions
      When a <kind> "web" is created with:
        """
        spec:
          selector:
            app: web
            matchExpressions:
              - {key: tier, operator: Exists}
        """
      Then the request is refused as BadRequest
      And there is no <kind> "web"

      Examples:
        | kind                  |
        | Service               |
        | ReplicationController |

    @id:selectors.04 @core
    Scenario: A ReplicationController that would not select its own Pods is refused
      When a ReplicationController "web" is created with:
        """
        spec:
          replicas: 0
          selector: {app: web, tier: back}
          template:
            metadata:
              labels: {app: web, tier: front}
        """
      Then the request is refused as Invalid for:
        | field                         | cause   |
        | spec.template.metadata.labels | invalid |
      And there is no ReplicationController "web"
