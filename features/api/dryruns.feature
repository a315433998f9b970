Feature: Dry runs
  A request can be tried out. It is judged and answered as if it were meant, with all defaults, generated names and
  refusals, and then forgotten.

  @req:API-21
  Rule: A creation that is tried out answers with the object that it would make

    @id:dryruns.01 @core
    Scenario: The answer has the server's defaults, and there is no object
      Given the next request is a dry run
      When a Service "web" is created
      Then the answer has:
        | field                  | value |
        | metadata.name          | web   |
        | spec.ports[0].protocol | TCP   |
        | spec.type              | ClusterIP |
      And there is no Service "web"

    @id:dryruns.02 @core
    Scenario: A name prefix is completed
      Given the next request is a dry run
      When this ConfigMap is created:
        """
        metadata:
          generateName: settings-
          labels: {app: web}
        """
      Then the answer has:
        | field         | value                   |
        | metadata.name | /settings-[a-z0-9]{2,}/ |
      And there are no ConfigMaps labelled "app=web"

    @id:dryruns.03 @core
    Scenario: A name that is taken is refused
      Given a ConfigMap "settings"
      And the next request is a dry run
      When a ConfigMap "settings" is created
      Then the request is refused as AlreadyExists

    @id:dryruns.04 @core
    Scenario: An object that breaks a rule is refused
      Given the next request is a dry run
      When a ConfigMap "settings" is created with:
        """
        data: {the hue: red}
        """
      Then the request is refused as Invalid for:
        | field         | cause   |
        | data[the hue] | invalid |

    @id:dryruns.05 @core
    Scenario: Nobody who watches sees anything
      Given a watch of the ConfigMaps labelled "app=web"
      And the next request is a dry run
      When a ConfigMap "settings" is created with:
        | field               | value |
        | metadata.labels.app | web   |
      Then the request is accepted
      And the watch delivers nothing

  @req:API-21
  Rule: A change that is tried out answers with the object as it would be, and leaves it as it is

    @id:dryruns.06 @core
    Scenario: An update is answered and not stored
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      And the next request is a dry run
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | green |
      Then the answer has:
        | field      | value |
        | data.color | green |
      And the ConfigMap "settings" is still at version "before"

    @id:dryruns.07 @core
    Scenario: A stale update is refused
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "old"
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      And the next request is a dry run
      When the ConfigMap "settings" is updated from version "old":
        | field      | value |
        | data.color | blue  |
      Then the request is refused as Conflict

    @id:dryruns.08 @core
    Scenario Outline: A <format> is answered and not stored
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      And the next request is a dry run
      When the ConfigMap "settings" is changed by the <format>:
        """
        <patch>
        """
      Then the answer has:
        | field | value                       |
        | data  | {color: green, size: large} |
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | format                | patch                                                                                             |
        | JSON patch            | [{op: replace, path: /data/color, value: green}, {op: add, path: /data/size, value: large}]       |
        | merge patch           | {data: {color: green, size: large}}                                                               |
        | strategic merge patch | {data: {color: green, size: large}}                                                               |

    @id:dryruns.09 @core
    Scenario: An apply is answered and not stored
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      And the version of the ConfigMap "settings" is called "before"
      And the next request is a dry run
      When "bob" applies with force:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: green}
        """
      Then the answer has:
        | field      | value |
        | data.color | green |
      And the ConfigMap "settings" is still at version "before"

    @id:dryruns.10 @core
    Scenario: The conflicts of an apply can be found out
      Given "alice" has applied:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: blue}
        """
      And the next request is a dry run
      When "bob" applies:
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings}
        data: {color: green}
        """
      Then the request is refused as Conflict
      And the conflict names:
        | manager | field       |
        | alice   | .data.color |

    @id:dryruns.11 @core
    Scenario: A change of the scale is answered and not stored
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      And the next request is a dry run
      When the scale of the Deployment "web" is changed by the merge patch:
        """
        spec: {replicas: 3}
        """
      Then the answer has:
        | field         | value |
        | spec.replicas | 3     |
      And the Deployment "web" has:
        | field         | value |
        | spec.replicas | 0     |

  @req:API-21
  Rule: A deletion that is tried out deletes and marks nothing

    @id:dryruns.12 @core
    Scenario: The object stays
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "before"
      And the next request is a dry run
      When the ConfigMap "settings" is deleted
      Then the request is accepted
      And the ConfigMap "settings" is still at version "before"

    @id:dryruns.13 @core
    Scenario: An object with finalizers is not marked
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And the next request is a dry run
      When the ConfigMap "settings" is deleted
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:dryruns.14 @core
    Scenario: What is not there is not found
      Given the next request is a dry run
      When the ConfigMap "settings" is deleted
      Then the request is refused as NotFound

    @id:dryruns.15 @core
    Scenario: A collection stays, and nobody who watches sees anything
      Given these ConfigMaps:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
      And a watch of the ConfigMaps labelled "app=web"
      And the next request is a dry run
      When all ConfigMaps labelled "app=web" are deleted
      Then the request is accepted
      And the only ConfigMaps labelled "app=web" are "a" and "b"
      And the watch delivers nothing

    @id:dryruns.16 @core
    Scenario: A Pod whose eviction is tried out stays
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      And the next request is a dry run
      When the Pod "web" is evicted
      Then the request is accepted
      And the Pod "web" has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

    @id:dryruns.17 @core
    Scenario: A Pod whose binding is tried out stays unbound
      Given a Pod "web" with:
        | field              | value  |
        | spec.schedulerName | nobody |
      And the next request is a dry run
      When the Pod "web" is bound to the node "nowhere"
      Then the request is accepted
      And the Pod "web" has:
        | field         | value    |
        | spec.nodeName | (absent) |

  @req:API-21
  Rule: There is one way to try a request out, and no other is taken for it

    @id:dryruns.18 @core
    Scenario: A creation tried out in an unknown way is refused
      Given the next request is a dry run of "Half"
      When a ConfigMap "settings" is created
      Then the request is refused as Invalid for:
        | field  | cause         |
        | dryRun | not supported |
      And there is no ConfigMap "settings"

    @id:dryruns.19 @core
    Scenario: A deletion tried out in an unknown way is refused
      Given a ConfigMap "settings"
      And the next request is a dry run of "Half"
      When the ConfigMap "settings" is deleted
      Then the request is refused as Invalid for:
        | field  | cause         |
        | dryRun | not supported |
      And there is a ConfigMap "settings"
