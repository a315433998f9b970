@needs:pods.run
Feature: Updates of a StatefulSet
  Another template is rolled out from the last member to the first, one member at a time, and each must be ready before
  the next goes. A partition holds the first members back; and whoever wants to decide alone deletes them by hand.

  @req:STS-5
  Rule: Members are replaced from the last to the first, each ready before the next

    @id:member-updates.01 @core
    Scenario: Another image replaces one member after the other
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      And a watch of the Pods labelled "app=web"
      When the StatefulSet "web" is updated:
        | field                                  | value                     |
        | spec.template.spec.containers[0].image | registry.k8s.io/pause:3.9 |
      Then within 60 seconds the watch shows in this order:
        | event       | name  |
        | terminating | web-2 |
        | ready       | web-2 |
        | terminating | web-1 |
        | ready       | web-1 |
        | terminating | web-0 |
        | ready       | web-0 |
      And the Pod "web-0" has:
        | field                    | value                     |
        | spec.containers[0].image | registry.k8s.io/pause:3.9 |

    @id:member-updates.02 @core
    Scenario: A new member that does not become ready stops the update
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      When the StatefulSet "web" is updated:
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds there is 1 unready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 ready Pods labelled "app=web,!release"
      And the only Pods labelled "app=web,release=two" are "web-2"

    @id:member-updates.03 @core
    Scenario: Once it is ready the update goes on
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And somebody has changed the StatefulSet "web":
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      And the StatefulSet "web" has come to have:
        | field                  | value |
        | status.updatedReplicas | 1     |
        | status.readyReplicas   | 1     |
      When the readiness gate of the Pod "web-1" opens
      Then within 60 seconds the only Pods labelled "app=web,release=two" are "web-0" and "web-1"

    @id:member-updates.04 @core
    Scenario: Of an update that is under way the status tells both revisions
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      When the StatefulSet "web" is updated:
        | field                                 | value                                |
        | spec.template.metadata.labels.release | two                                  |
        | spec.template.spec.readinessGates     | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the StatefulSet "web" has:
        | field                     | value |
        | status.observedGeneration | 2     |
        | status.replicas           | 3     |
        | status.readyReplicas      | 2     |
        | status.currentReplicas    | 2     |
        | status.updatedReplicas    | 1     |
      And there are 2 ControllerRevisions labelled "app=web"

    @id:member-updates.05 @core
    Scenario: An update can be on the way while the number changes
      Given a running StatefulSet "web"
      When the StatefulSet "web" is updated:
        | field                                 | value |
        | spec.replicas                         | 3     |
        | spec.template.metadata.labels.release | two   |
      Then within 60 seconds there are 3 ready Pods labelled "app=web,release=two"
      And within 30 seconds the StatefulSet "web" has:
        | field                  | value |
        | status.currentReplicas | 3     |
        | status.updatedReplicas | 3     |

    @id:member-updates.06 @core
    Scenario: Who asks for an update on deletion gets it member by member
      Given a running StatefulSet "web" with:
        | field                    | value    |
        | spec.replicas            | 2        |
        | spec.updateStrategy.type | OnDelete |
      And somebody has changed the StatefulSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      When the Pod "web-0" is deleted
      Then within 60 seconds there is 1 ready Pod labelled "app=web,release=two"
      And for 5 seconds there are 2 active Pods labelled "app=web"
      And the only Pods labelled "app=web,release=two" are "web-0"

  @req:STS-8
  Rule: A partition holds the members below it back

    @id:member-updates.07 @core
    Scenario Outline: Of three members a partition of <partition> leaves <old> as they are
      Given a running StatefulSet "web" with:
        | field         | value |
        | spec.replicas | 3     |
      When the StatefulSet "web" is updated:
        | field                                       | value       |
        | spec.updateStrategy.rollingUpdate.partition | <partition> |
        | spec.template.metadata.labels.release       | two         |
      Then within 60 seconds there are <new> ready Pods labelled "app=web,release=two"
      And for 5 seconds there are <old> ready Pods labelled "app=web,!release"

      Examples:
        | partition | new | old |
        | 1         | 2   | 1   |
        | 2         | 1   | 2   |
        | 5         | 0   | 3   |

    @id:member-updates.08 @core
    Scenario: A member below the partition comes back as it was
      Given a running StatefulSet "web" with:
        | field                                       | value |
        | spec.replicas                               | 2     |
        | spec.updateStrategy.rollingUpdate.partition | 1     |
      And somebody has changed the StatefulSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the StatefulSet "web" has come to have:
        | field                  | value |
        | status.updatedReplicas | 1     |
        | status.readyReplicas   | 2     |
      And the uid of the Pod "web-0" is called "first"
      When the Pod "web-0" is deleted with:
        | option | value |
        | uid    | first |
      Then within 60 seconds there are 2 ready Pods labelled "app=web"
      And the Pod "web-0" no longer has the uid "first"
      And the Pod "web-0" has:
        | field                   | value    |
        | metadata.labels.release | (absent) |

    @id:member-updates.09 @core
    Scenario: Lowering the partition lets the update go on
      Given a running StatefulSet "web" with:
        | field                                       | value |
        | spec.replicas                               | 3     |
        | spec.updateStrategy.rollingUpdate.partition | 2     |
      And somebody has changed the StatefulSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the StatefulSet "web" has come to have:
        | field                  | value |
        | status.updatedReplicas | 1     |
        | status.readyReplicas   | 3     |
      When the StatefulSet "web" is updated:
        | field                                       | value |
        | spec.updateStrategy.rollingUpdate.partition | 0     |
      Then within 60 seconds there are 3 ready Pods labelled "app=web,release=two"

  @req:STS-10
  Rule: Every template has a revision, and as many old ones are kept as asked for

    @id:member-updates.10 @core
    Scenario: To restore an earlier template is to use its revision again
      Given a running StatefulSet "web"
      And the ControllerRevisions labelled "app=web" are called "first"
      And somebody has changed the StatefulSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the StatefulSet "web" has rolled out
      When the StatefulSet "web" is updated:
        | field                                 | value    |
        | spec.template.metadata.labels.release | (absent) |
      Then within 60 seconds the StatefulSet "web" has:
        | field                  | value |
        | status.currentRevision | first |
        | status.updateRevision  | first |
      And the ControllerRevision "first" has:
        | field    | value |
        | revision | 3     |
      And there are 2 ControllerRevisions

    @id:member-updates.11 @core
    Scenario Outline: With a limit of <limit>, after three templates <left> revisions are left
      Given a running StatefulSet "web" with:
        | field                                 | value   |
        | spec.replicas                         | 1       |
        | spec.revisionHistoryLimit             | <limit> |
      And somebody has changed the StatefulSet "web":
        | field                                 | value |
        | spec.template.metadata.labels.release | two   |
      And the StatefulSet "web" has rolled out
      When the StatefulSet "web" is updated:
        | field                                 | value |
        | spec.template.metadata.labels.release | three |
      Then within 60 seconds there is 1 ready Pod labelled "app=web,release=three"
      And within 30 seconds there are <left> ControllerRevisions
      And for 5 seconds there are <left> active ControllerRevisions

      Examples:
        | limit | left |
        | 0     | 1    |
        | 1     | 2    |
        | 10    | 3    |
