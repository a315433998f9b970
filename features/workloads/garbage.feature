Feature: Garbage collection
  An object names those that own it. When its last owner is gone it goes as well: after the owner, before it, or not at
  all, as whoever deletes the owner asks. What an owner is, its uid says; a name can be given again.

  @req:GC-1
  Rule: In the background what is owned goes after its owner

    @id:garbage.01 @core
    Scenario: The owner goes at once, and then what it owned
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             |
        | ConfigMap "whole" |
      And a ConfigMap "other"
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then there is no ConfigMap "whole"
      And within 60 seconds there is no ConfigMap "part"
      And there is a ConfigMap "other"

    @id:garbage.02 @core
    Scenario: And what that owned in turn
      Given a ConfigMap "whole"
      And a Secret "part" owned by:
        | owner             |
        | ConfigMap "whole" |
      And a ConfigMap "detail" owned by:
        | owner         |
        | Secret "part" |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then within 60 seconds there is no Secret "part"
      And within 60 seconds there is no ConfigMap "detail"

    @id:garbage.03 @core @needs:pods.run
    Scenario Outline: Unless asked otherwise, a <kind> takes its Pods along
      Given a running <kind> "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the <kind> "web" is deleted
      Then within 60 seconds there are no Pods labelled "app=web"
      And there is no <kind> "web"

      Examples:
        | kind        |
        | Deployment  |
        | ReplicaSet  |
        | StatefulSet |

    @id:garbage.04 @core @needs:pods.run
    Scenario: Unless asked otherwise, a ReplicationController leaves its Pods behind
      Given a running ReplicationController "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the Pods labelled "app=web" are called "a" and "b"
      When the ReplicationController "web" is deleted
      Then within 30 seconds there is no ReplicationController "web"
      And for 5 seconds there are 2 ready Pods labelled "app=web"
      And the Pod "a" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |

  @req:GC-1
  Rule: In the foreground the owner goes after what it owned

    @id:garbage.05 @core
    Scenario: The owner waits for what blocks its deletion
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             | blocks its deletion |
        | ConfigMap "whole" | yes                 |
      And somebody has changed the ConfigMap "part":
        | field               | value               |
        | metadata.finalizers | [gherkube.dev/hold] |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Foreground |
      Then within 60 seconds the ConfigMap "part" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      And for 5 seconds the ConfigMap "whole" still has:
        | field                      | value                |
        | metadata.deletionTimestamp | (present)            |
        | metadata.finalizers        | [foregroundDeletion] |

    @id:garbage.06 @core
    Scenario: When that is gone the owner goes
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             | blocks its deletion |
        | ConfigMap "whole" | yes                 |
      And somebody has changed the ConfigMap "part":
        | field               | value               |
        | metadata.finalizers | [gherkube.dev/hold] |
      And somebody has deleted the ConfigMap "whole" with the propagation "Foreground"
      And the ConfigMap "part" has come to have:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      When the ConfigMap "part" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then within 60 seconds there is no ConfigMap "part"
      And within 60 seconds there is no ConfigMap "whole"

    @id:garbage.07 @core
    Scenario: It does not wait for what does not block its deletion
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             | blocks its deletion |
        | ConfigMap "whole" | no                  |
      And somebody has changed the ConfigMap "part":
        | field               | value               |
        | metadata.finalizers | [gherkube.dev/hold] |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Foreground |
      Then within 60 seconds there is no ConfigMap "whole"
      And within 60 seconds the ConfigMap "part" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |

    @id:garbage.08 @core
    Scenario: It waits for what is owned by what it owns, too
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             | blocks its deletion |
        | ConfigMap "whole" | yes                 |
      And a ConfigMap "detail" owned by:
        | owner            | blocks its deletion |
        | ConfigMap "part" | yes                 |
      And somebody has changed the ConfigMap "detail":
        | field               | value               |
        | metadata.finalizers | [gherkube.dev/hold] |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Foreground |
      Then within 60 seconds the ConfigMap "detail" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      And for 5 seconds the ConfigMap "whole" still has:
        | field               | value                |
        | metadata.finalizers | [foregroundDeletion] |
      And there is a ConfigMap "part"

    @id:garbage.09 @core @needs:pods.run
    Scenario: A Deployment goes after its ReplicaSets and Pods
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      When the Deployment "web" is deleted with:
        | option      | value      |
        | propagation | Foreground |
      Then within 60 seconds there is no Deployment "web"
      And there are no ReplicaSets labelled "app=web"
      And there are no Pods labelled "app=web"

  @req:GC-1
  Rule: Orphans stay, and no longer name their owner

    @id:garbage.10 @core
    Scenario: What was owned is left behind
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             | blocks its deletion |
        | ConfigMap "whole" | yes                 |
      When the ConfigMap "whole" is deleted with:
        | option      | value  |
        | propagation | Orphan |
      Then within 60 seconds there is no ConfigMap "whole"
      And for 5 seconds the ConfigMap "part" still has:
        | field                      | value    |
        | metadata.ownerReferences   | (absent) |
        | metadata.deletionTimestamp | (absent) |

    @id:garbage.11 @core @needs:pods.run
    Scenario: A Deployment's ReplicaSet goes on without it
      Given a running Deployment "web" with:
        | field         | value |
        | spec.replicas | 2     |
      And the ReplicaSets labelled "app=web" are called "set"
      When the Deployment "web" is deleted with:
        | option      | value  |
        | propagation | Orphan |
      Then within 60 seconds there is no Deployment "web"
      And for 5 seconds there are 2 ready Pods labelled "app=web"
      And the ReplicaSet "set" has:
        | field                    | value    |
        | metadata.ownerReferences | (absent) |
        | status.replicas          | 2        |

  @req:GC-2
  Rule: An object goes when none of those that it names as owners exists

    @id:garbage.12 @core
    Scenario: One owner that stays is enough
      Given a ConfigMap "whole"
      And a ConfigMap "second"
      And a ConfigMap "part" owned by:
        | owner              |
        | ConfigMap "whole"  |
        | ConfigMap "second" |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then within 60 seconds the ConfigMap "part" has:
        | field                            | value    |
        | metadata.ownerReferences[0].name | second   |
        | metadata.ownerReferences[1]      | (absent) |
      And for 5 seconds the ConfigMap "part" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:garbage.13 @core
    Scenario: When the last one is gone it goes
      Given a ConfigMap "whole"
      And a ConfigMap "second"
      And a ConfigMap "part" owned by:
        | owner              |
        | ConfigMap "whole"  |
        | ConfigMap "second" |
      And somebody has deleted the ConfigMap "whole" with the propagation "Background"
      When the ConfigMap "second" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then within 60 seconds there is no ConfigMap "part"

    @id:garbage.14 @core
    Scenario: An owner that never was is as one that is gone
      When a ConfigMap "part" is created with:
        """
        metadata:
          ownerReferences:
            - {apiVersion: v1, kind: ConfigMap, name: whole, uid: 6f1c2b3a-0000-4000-8000-000000000001}
        """
      Then within 60 seconds there is no ConfigMap "part"

    @id:garbage.15 @core
    Scenario: What names a former object of the name as its owner goes
      Given a ConfigMap "whole"
      And the uid of the ConfigMap "whole" is called "first"
      And somebody has deleted the ConfigMap "whole"
      And a ConfigMap "whole" with:
        | field      | value |
        | data.color | blue  |
      And a ConfigMap "part" owned by:
        | owner             | uid   |
        | ConfigMap "whole" | first |
      And a ConfigMap "other" owned by:
        | owner             |
        | ConfigMap "whole" |
      When the ConfigMap "whole" is updated:
        | field      | value |
        | data.color | green |
      Then within 60 seconds there is no ConfigMap "part"
      And there is a ConfigMap "other"

    @id:garbage.16 @core
    Scenario: An owner must be in the namespace of what it owns
      Given a Namespace "other"
      And a ConfigMap "whole" in namespace "other"
      And the uid of the ConfigMap "whole" in namespace "other" is called "there"
      And a ConfigMap "part" owned by:
        | owner                                  | uid   |
        | ConfigMap "whole" in namespace "other" | there |
      When the ConfigMap "whole" in namespace "other" is updated:
        | field      | value |
        | data.color | blue  |
      Then within 60 seconds there is no ConfigMap "part"
      And there is a ConfigMap "whole" in namespace "other"

    @id:garbage.17 @core
    Scenario: Or be in no namespace at all
      Given a PriorityClass "whole"
      And a ConfigMap "part" owned by:
        | owner                 |
        | PriorityClass "whole" |
      When the PriorityClass "whole" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then within 60 seconds there is no ConfigMap "part"

    @id:garbage.18 @core
    Scenario: What lets go of its owner in time stays
      Given a ConfigMap "whole"
      And a ConfigMap "part" owned by:
        | owner             |
        | ConfigMap "whole" |
      And somebody has changed the ConfigMap "part":
        | field                    | value    |
        | metadata.ownerReferences | (absent) |
      When the ConfigMap "whole" is deleted with:
        | option      | value      |
        | propagation | Background |
      Then for 5 seconds the ConfigMap "part" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:garbage.19 @core
    Scenario: Of an owner whose kind is unknown nobody can say that it is gone
      When a ConfigMap "part" is created with:
        """
        metadata:
          ownerReferences:
            - {apiVersion: example.com/v1, kind: Gadget, name: whole, uid: 6f1c2b3a-0000-4000-8000-000000000001}
        """
      Then for 10 seconds the ConfigMap "part" still has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |
