Feature: Namespaces
  What lives in a namespace goes with it. So nothing new can be put where no namespace is, or into one that is on its
  way out; and the namespaces that a cluster itself lives in stay.

  @req:API-26
  Rule: What is new needs a namespace that is there, and stays

    @id:namespaces.01 @core
    Scenario: Nothing can be created in a namespace that is not there
      When a ConfigMap "settings" in namespace "nowhere" is created
      Then the request is refused as NotFound
      And the refusal mentions "nowhere"

    @id:namespaces.02 @core
    Scenario: Nothing can be created in a namespace that is being deleted
      Given a Namespace "leaving" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Namespace "leaving"
      When a ConfigMap "settings" in namespace "leaving" is created
      Then the request is refused as Forbidden
      And the refusal has:
        | field                    | value                |
        | details.causes[0].reason | NamespaceTerminating |
      And there is no ConfigMap "settings" in namespace "leaving"

    @id:namespaces.03 @core
    Scenario: Applying creates nothing in a namespace that is being deleted
      Given a Namespace "leaving" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Namespace "leaving"
      When "alice" applies:
        """
        {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: leaving}, data: {color: blue}}
        """
      Then the request is refused as Forbidden
      And there is no ConfigMap "settings" in namespace "leaving"

    @id:namespaces.04 @core
    Scenario: A namespace that is deleted is on its way out until it is empty and nobody holds it
      Given a Namespace "leaving" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the Namespace "leaving" is deleted
      Then the request is accepted
      And the Namespace "leaving" has:
        | field                      | value       |
        | metadata.deletionTimestamp | (present)   |
        | status.phase               | Terminating |

    @id:namespaces.05 @core
    Scenario: What belongs to no namespace can always be created
      Given a Namespace "leaving" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the Namespace "leaving"
      When a ClusterRole "nobody" is created
      Then the request is accepted

  @req:API-26
  Rule: The system's own namespaces cannot be deleted

    @id:namespaces.06 @core
    Scenario Outline: The Namespace <name> stays
      Given the next request is a dry run
      When the Namespace "<name>" is deleted
      Then the request is refused as Forbidden
      And there is a Namespace "<name>"

      Examples:
        | name        |
        | default     |
        | kube-system |
        | kube-public |

    @id:namespaces.07 @core
    Scenario: Any other namespace can be deleted
      Given a Namespace "other"
      And the next request is a dry run
      When the Namespace "other" is deleted
      Then the request is accepted
