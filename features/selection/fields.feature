Feature: Field selectors
  Every object can be chosen by its name and namespace, some kinds by a few more of their fields: a Pod by its node and
  its phase, a Secret by its type, an Event by the object that it is about.

  @req:SEL-7
  Rule: A field selector selects the objects whose fields have, or have not, the values that it names

    @id:fields.01 @core
    Scenario Outline: Secrets where "<selector>"
      Given these Secrets:
        | name | type              |
        | a    | example.com/token |
        | b    | example.com/token |
        | c    | Opaque            |
      When the Secrets where "<selector>" are listed
      Then the list holds exactly <names>

      Examples:
        | selector                                  | names           |
        | type=example.com/token                    | "a" and "b"     |
        | type==example.com/token                   | "a" and "b"     |
        | type!=example.com/token                   | "c"             |
        | metadata.name=b                           | "b"             |
        | metadata.name!=b                          | "a" and "c"     |
        | metadata.namespace=home                   | "a", "b" and "c" |
        | type=example.com/token,metadata.name!=b   | "a"             |

    @id:fields.02 @core
    Scenario Outline: Pods where "<selector>"
      Given these Pods:
        | name   | spec.nodeName | spec.schedulingGates         |
        | bound  | nowhere       |                              |
        | gated  |               | [{name: example.com/hold}]   |
        | gated2 |               | [{name: example.com/hold}]   |
      When the Pods where "<selector>" are listed
      Then the list holds exactly <names>

      Examples:
        | selector                               | names                         |
        | spec.nodeName=nowhere                  | "bound"                       |
        | spec.nodeName=                         | "gated" and "gated2"          |
        | spec.nodeName!=                        | "bound"                       |
        | status.phase=Pending                   | "bound", "gated" and "gated2" |
        | status.phase=Pending,spec.nodeName=    | "gated" and "gated2"          |
        | metadata.name!=gated,spec.nodeName=    | "gated2"                      |

    @id:fields.03 @core
    Scenario Outline: Events where "<selector>"
      Given these Events:
        | name | involvedObject.kind | involvedObject.name | reason  | type    |
        | a    | Pod                 | web                 | Started | Normal  |
        | b    | Pod                 | db                  | Failed  | Warning |
        | c    | Secret              | web                 | Failed  | Normal  |
      When the Events where "<selector>" are listed
      Then the list holds exactly <names>

      Examples:
        | selector                                       | names       |
        | involvedObject.name=web                        | "a" and "c" |
        | involvedObject.kind=Pod,involvedObject.name=web | "a"         |
        | reason=Failed                                  | "b" and "c" |
        | type!=Normal                                   | "b"         |

    @id:fields.04 @core
    Scenario: A namespace is selected by its name and phase
      Given these Namespaces:
        | name  |
        | north |
        | south |
      When the Namespaces where "metadata.name=north,status.phase=Active" are listed
      Then the list holds exactly "north"

    @id:fields.05 @core
    Scenario: Labels and fields are selected by together
      Given these Secrets:
        | name | labels  | type              |
        | a    | app=web | example.com/token |
        | b    | app=db  | example.com/token |
        | c    | app=web | Opaque            |
      When the Secrets labelled "app=web" where "type=example.com/token" are listed
      Then the list holds exactly "a"

    @id:fields.06 @core
    Scenario: Objects are deleted by their fields
      Given these Secrets:
        | name | type              |
        | a    | example.com/token |
        | b    | example.com/token |
        | c    | Opaque            |
      When all Secrets where "type=example.com/token" are deleted
      Then the request is accepted
      And the only Secrets are "c"

    @id:fields.07 @core
    Scenario: A node watches the Pods that are bound to it
      Given a watch of the Pods where "spec.nodeName=nowhere"
      When these changes are made:
        | change | object    | spec.nodeName | spec.schedulingGates       |
        | create | Pod "a"   | nowhere       |                            |
        | create | Pod "b"   | elsewhere     |                            |
        | create | Pod "c"   |               | [{name: example.com/hold}] |
        | create | Pod "d"   | nowhere       |                            |
      Then the watch adds exactly "a" and "d"

  @req:SEL-7
  Rule: An object enters and leaves a watch by its fields as it does by its labels

    @id:fields.08 @core
    Scenario: An object leaves with its field's value, and comes back with it
      Given an Event "a" with:
        | field | value   |
        | type  | Warning |
      And a watch of the Events where "type=Warning"
      When these changes are made:
        | change | object    | type    | count |
        | update | Event "a" | Warning | 2     |
        | update | Event "a" | Normal  | 3     |
        | update | Event "a" | Normal  | 4     |
        | update | Event "a" | Warning | 5     |
        | delete | Event "a" |         |       |
      Then the watch delivers:
        | event    | name |
        | modified | a    |
        | deleted  | a    |
        | added    | a    |
        | deleted  | a    |

    @id:fields.09 @core
    Scenario: A Pod enters the watch of its phase
      Given a Pod "web" with:
        | field         | value   |
        | spec.nodeName | nowhere |
      And a watch of the Pods where "status.phase!=Pending"
      When the status of the Pod "web" is updated:
        | field        | value   |
        | status.phase | Running |
      Then the watch adds exactly "web"

  @req:SEL-7
  Rule: A field that a kind is not selected by is refused, and selects neither nothing nor everything

    @id:fields.10 @core
    Scenario Outline: <kind> cannot be selected where "<selector>"
      When the <kind> where "<selector>" are listed
      Then the request is refused as BadRequest

      Examples:
        | kind       | selector                           |
        | ConfigMaps | data.color=blue                    |
        | ConfigMaps | type=Opaque                        |
        | Secrets    | data.color=                        |
        | Pods       | spec.containers[0].image=web       |
        | Pods       | status.podIP=,metadata.labels=a    |
        | Pods       | status.phase                       |
        | Pods       | status.phase=Pending,spec.nodeName |

    @id:fields.11 @core
    Scenario: A deletion by a field that the kind is not selected by deletes nothing
      Given these Secrets:
        | name |
        | a    |
        | b    |
      When all Secrets where "immutable=true" are deleted
      Then the request is refused as BadRequest
      And the only Secrets are "a" and "b"

    @id:fields.12 @core
    Scenario: A watch by a field that the kind is not selected by does not begin
      When the Secrets where "immutable=true" are watched
      Then the watch is refused as BadRequest
