Feature: The life of a namespace
  A namespace is there for what is in it. When it is deleted all of that is deleted with it, and the namespace stays,
  marked and closed to all that is new, until the last of it is gone; meanwhile it tells what still keeps it.

  @req:NS-1
  Rule: A created namespace is Active

    @id:leaving.01 @core
    Scenario: A new namespace is active, and known by its name
      When a Namespace "shop" is created
      Then within 10 seconds the Namespace "shop" has:
        | field                                          | value        |
        | status.phase                                   | Active       |
        | spec.finalizers                                | [kubernetes] |
        | metadata.labels["kubernetes.io/metadata.name"] | shop         |

    @id:leaving.02 @core
    Scenario: A namespace that came back begins empty
      Given a Namespace "shop"
      And a ConfigMap "settings" in namespace "shop"
      And somebody has deleted the Namespace "shop"
      And the Namespace "shop" has gone
      When a Namespace "shop" is created
      Then the request is accepted
      And there is no ConfigMap "settings" in namespace "shop"

  @req:NS-2
  Rule: A deleted namespace is Terminating until its content is gone

    @id:leaving.03 @core
    Scenario: What is held keeps its namespace, which tells so
      Given a Namespace "shop"
      And a ConfigMap "held" in namespace "shop" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the Namespace "shop" is deleted
      Then within 30 seconds the Namespace "shop" has:
        | field                                                          | value                |
        | status.phase                                                   | Terminating          |
        | status.conditions[type=NamespaceContentRemaining].status       | "True"               |
        | status.conditions[type=NamespaceContentRemaining].reason       | SomeResourcesRemain  |
        | status.conditions[type=NamespaceContentRemaining].message      | /.*configmaps.*/     |
        | status.conditions[type=NamespaceFinalizersRemaining].status    | "True"               |
        | status.conditions[type=NamespaceFinalizersRemaining].reason    | SomeFinalizersRemain |
        | status.conditions[type=NamespaceFinalizersRemaining].message   | /.*example.com/hold.*/ |
        | status.conditions[type=NamespaceDeletionContentFailure].status | "False"              |

    @id:leaving.04 @core
    Scenario: What is let go lets its namespace go
      Given a Namespace "shop"
      And a ConfigMap "held" in namespace "shop" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Namespace "shop"
      And the Namespace "shop" has come to have:
        | field                                                       | value  |
        | status.conditions[type=NamespaceFinalizersRemaining].status | "True" |
      When the ConfigMap "held" in namespace "shop" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then within 60 seconds there is no Namespace "shop"

    @id:leaving.05 @core
    Scenario: A namespace that somebody else holds is emptied, and tells that nothing is left
      Given a Namespace "shop" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And a ConfigMap "settings" in namespace "shop"
      When the Namespace "shop" is deleted
      Then within 60 seconds the Namespace "shop" has:
        | field                                                       | value                   |
        | spec.finalizers                                             | (absent)                |
        | status.phase                                                | Terminating             |
        | status.conditions[type=NamespaceContentRemaining].status    | "False"                 |
        | status.conditions[type=NamespaceContentRemaining].reason    | ContentRemoved          |
        | status.conditions[type=NamespaceFinalizersRemaining].reason | ContentHasNoFinalizers  |
      And there is no ConfigMap "settings" in namespace "shop"

    @id:leaving.06 @core
    Scenario: A namespace with a part of somebody else's to do waits until it is done
      Given a Namespace "shop"
      And somebody has changed the finalizers of the Namespace "shop":
        | field           | value                          |
        | spec.finalizers | [kubernetes, example.com/mine] |
      When the Namespace "shop" is deleted
      Then within 60 seconds the Namespace "shop" has:
        | field           | value              |
        | spec.finalizers | [example.com/mine] |
      And for 10 seconds the Namespace "shop" still has:
        | field        | value       |
        | status.phase | Terminating |

  @req:NS-3
  Rule: All objects in a Terminating namespace are deleted, and the namespace vanishes last

    @id:leaving.07 @core
    Scenario: A namespace goes with all that is in it
      Given a Namespace "shop"
      And a ConfigMap "settings" in namespace "shop"
      And a Secret "password" in namespace "shop"
      And a Service "web" in namespace "shop"
      And a Deployment "web" in namespace "shop"
      And a PersistentVolumeClaim "data" in namespace "shop"
      And a ResourceQuota "limit" in namespace "shop"
      When the Namespace "shop" is deleted
      Then within 90 seconds there is no Namespace "shop"
      And there are no ConfigMaps in namespace "shop"
      And there are no Services in namespace "shop"
      And there are no Deployments in namespace "shop"

    @id:leaving.08 @core
    Scenario: Other namespaces keep what they have
      Given a Namespace "shop"
      And a Namespace "other"
      And a ConfigMap "settings" in namespace "shop"
      And a ConfigMap "settings" in namespace "other"
      When the Namespace "shop" is deleted
      Then within 60 seconds there is no Namespace "shop"
      And there is a ConfigMap "settings" in namespace "other"

    @id:leaving.09 @extended
    Scenario: Pods go before what they may still need
      Given a Namespace "shop"
      And a ServiceAccount "seller" in namespace "shop"
      And a Pod "web" in namespace "shop" with:
        | field                   | value              |
        | metadata.finalizers     | [example.com/hold] |
        | spec.serviceAccountName | seller             |
      And a ConfigMap "settings" in namespace "shop"
      When the Namespace "shop" is deleted
      Then within 60 seconds the Pod "web" in namespace "shop" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |
      And for 20 seconds there is still a ConfigMap "settings" in namespace "shop"

    @id:leaving.10 @core
    Scenario: The addresses of its Services are free again
      Given a Namespace "shop"
      And a Service "web" in namespace "shop"
      And the ClusterIP of the Service "web" in namespace "shop" is called "first"
      When the Namespace "shop" is deleted
      Then within 60 seconds there is no Namespace "shop"
      And the ClusterIP "first" can be had

  @req:NS-4
  Rule: Creation in a Terminating or missing namespace is refused

    @id:leaving.11 @core
    Scenario Outline: Nobody can create a <kind> in a namespace that is on its way out
      Given a Namespace "shop" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Namespace "shop"
      When a <kind> "new" in namespace "shop" is created
      Then the request is refused as Forbidden
      And the refusal has:
        | field                    | value                |
        | details.causes[0].reason | NamespaceTerminating |

      Examples:
        | kind           |
        | Pod            |
        | Service        |
        | Deployment     |
        | ServiceAccount |

    @id:leaving.12 @core
    Scenario Outline: Nobody can create a <kind> where no namespace is
      When a <kind> "new" in namespace "nowhere" is created
      Then the request is refused as NotFound

      Examples:
        | kind           |
        | Pod            |
        | Service        |
        | ServiceAccount |
