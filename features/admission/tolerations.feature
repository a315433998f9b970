Feature: Tolerations of Pods
  A node may be out of reach for a moment only. So every Pod that says nothing else tolerates that for five minutes
  before it is deleted.

  @req:TOL-1
  Rule: A Pod tolerates for five minutes that its node is not ready, or not reached

    @id:tolerations.01 @core
    Scenario: A Pod that says nothing tolerates both for five minutes
      When a Pod "web" is created
      Then the answer has:
        | field                                                                  | value     |
        | spec.tolerations[key=node.kubernetes.io/not-ready].operator            | Exists    |
        | spec.tolerations[key=node.kubernetes.io/not-ready].effect              | NoExecute |
        | spec.tolerations[key=node.kubernetes.io/not-ready].tolerationSeconds   | 300       |
        | spec.tolerations[key=node.kubernetes.io/unreachable].effect            | NoExecute |
        | spec.tolerations[key=node.kubernetes.io/unreachable].tolerationSeconds | 300       |

    @id:tolerations.02 @core
    Scenario: A Pod's own patience counts
      When a Pod "web" is created with:
        """
        spec: {tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}]}
        """
      Then the answer has:
        | field                                                                  | value    |
        | spec.tolerations[key=node.kubernetes.io/unreachable].tolerationSeconds | 5        |
        | spec.tolerations[key=node.kubernetes.io/not-ready].tolerationSeconds   | 300      |
        | spec.tolerations[2]                                                    | (absent) |

    @id:tolerations.03 @core
    Scenario: A Pod that tolerates everything tolerates it for ever
      When a Pod "web" is created with:
        """
        spec: {tolerations: [{operator: Exists}]}
        """
      Then the answer has:
        | field            | value                |
        | spec.tolerations | [{operator: Exists}] |

    @id:tolerations.04 @core
    Scenario: Who tolerates such a node when it comes to be scheduled does not tolerate to stay
      When a Pod "web" is created with:
        """
        spec: {tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoSchedule}]}
        """
      Then the answer has:
        | field                                | value     |
        | spec.tolerations[0].effect           | NoSchedule |
        | spec.tolerations[1].effect           | NoExecute |
        | spec.tolerations[2].effect           | NoExecute |
        | spec.tolerations[1].tolerationSeconds | 300      |
