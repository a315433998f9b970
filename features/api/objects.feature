Feature: Objects
  An API server keeps objects. Each has a kind, a name that is its own within its namespace, and a version that
  changes whenever the object does. Whoever changes an object can say from which version, and is told when
  somebody else was faster.

  @req:API-3
  Rule: Reading an object gives its latest version

    @id:objects.01 @core
    Scenario: An object is read as it was last written
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      When the ConfigMap "settings" is read
      Then the answer has:
        | field                      | value     |
        | apiVersion                 | v1        |
        | kind                       | ConfigMap |
        | metadata.name              | settings  |
        | metadata.namespace         | home      |
        | metadata.uid               | (present) |
        | metadata.creationTimestamp | (present) |
        | metadata.resourceVersion   | (present) |
        | data.color                 | green     |

    @id:objects.02 @core
    Scenario: An object that is not there is not found
      Given a ConfigMap "settings"
      When the ConfigMap "settings" in namespace "kube-system" is read
      Then the request is refused as NotFound

    @id:objects.03 @core
    Scenario: Objects of one name in two namespaces are two objects
      Given a Namespace "other"
      And these ConfigMaps:
        | name     | namespace | data.color |
        | settings | home      | blue       |
        | settings | other     | green      |
      When the ConfigMap "settings" in namespace "other" is read
      Then the answer has:
        | field              | value |
        | metadata.namespace | other |
        | data.color         | green |

  @req:API-14
  Rule: Creating, updating and deleting change exactly the named object

    @id:objects.04 @core
    Scenario: A created object is stored with what the server adds to it
      When a ConfigMap "settings" is created with:
        | field               | value |
        | metadata.labels.app | web   |
        | data.color          | blue  |
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value                                       |
        | metadata.uid               | /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ |
        | metadata.creationTimestamp | /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/           |
        | metadata.labels.app        | web                                         |
        | data.color                 | blue                                        |

    @id:objects.05 @core
    Scenario: A name that is taken cannot be created again
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      When a ConfigMap "settings" is created with:
        | field      | value |
        | data.color | green |
      Then the request is refused as AlreadyExists
      And the ConfigMap "settings" has:
        | field      | value |
        | data.color | blue  |

    @id:objects.06 @core
    Scenario: A name prefix is completed to a name that is free
      Given a ConfigMap "settings-x"
      When this ConfigMap is created:
        """
        metadata:
          generateName: settings-
        """
      Then the answer has:
        | field                 | value                   |
        | metadata.name         | /settings-[a-z0-9]{2,}/ |
        | metadata.generateName | settings-               |

    @id:objects.07 @core
    Scenario: An update leaves other objects alone
      Given these ConfigMaps:
        | name   | data.color |
        | first  | blue       |
        | second | blue       |
      And the version of the ConfigMap "second" is called "before"
      When the ConfigMap "first" is updated:
        | field      | value |
        | data.color | green |
      Then the request is accepted
      And the ConfigMap "first" has:
        | field      | value |
        | data.color | green |
      And the ConfigMap "second" is still at version "before"

    @id:objects.08 @core
    Scenario: An update replaces the object, so that what it leaves out is gone
      Given a ConfigMap "settings" with:
        | field               | value |
        | metadata.labels.app | web   |
        | data.color          | blue  |
        | data.size           | large |
      When the ConfigMap "settings" is updated:
        | field           | value    |
        | metadata.labels | (absent) |
        | data.size       | (absent) |
      Then the ConfigMap "settings" has:
        | field           | value    |
        | metadata.labels | (absent) |
        | data.color      | blue     |
        | data.size       | (absent) |

    @id:objects.09 @core
    Scenario: An update of an object that is not there is refused
      Given a ConfigMap "settings"
      When the ConfigMap "options" is updated regardless of its version:
        | field      | value |
        | data.color | green |
      Then the request is refused as NotFound
      And there is no ConfigMap "options"

    @id:objects.10 @core
    Scenario: A deleted object is gone, and the others stay
      Given these Secrets:
        | name   |
        | first  |
        | second |
      When the Secret "first" is deleted
      Then the request is accepted
      And the only Secrets are "second"

    @id:objects.11 @core
    Scenario: A name can be used again, and the new object is another one
      Given a ConfigMap "settings"
      And the uid of the ConfigMap "settings" is called "first"
      And somebody has deleted the ConfigMap "settings"
      When a ConfigMap "settings" is created
      Then the request is accepted
      And the ConfigMap "settings" no longer has the uid "first"

  @req:API-4
  Rule: An update from a version that is no longer the latest changes nothing

    @id:objects.12 @core
    Scenario: A stale update is refused
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "old"
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      And the version of the ConfigMap "settings" is called "latest"
      When the ConfigMap "settings" is updated from version "old":
        | field      | value |
        | data.color | blue  |
      Then the request is refused as Conflict
      And the ConfigMap "settings" is still at version "latest"

    @id:objects.13 @core
    Scenario: An update from the latest version makes a new one
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "latest"
      When the ConfigMap "settings" is updated from version "latest":
        | field      | value |
        | data.color | blue  |
      Then the request is accepted
      And the ConfigMap "settings" is no longer at version "latest"
      And the ConfigMap "settings" has:
        | field      | value |
        | data.color | blue  |

    @id:objects.14 @core
    Scenario: An update that names no version is made from whichever is the latest
      Given a ConfigMap "settings"
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      When the ConfigMap "settings" is updated regardless of its version:
        | field      | value |
        | data.color | blue  |
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field      | value |
        | data.color | blue  |

    @id:objects.15 @core
    Scenario: An update that changes nothing makes no new version
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "latest"
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | blue  |
      Then the request is accepted
      And the ConfigMap "settings" is still at version "latest"

  @req:API-5
  Rule: An object that breaks the rules of its kind is refused with the fields that break them

    @id:objects.16 @core
    Scenario: Every field that breaks a rule is named
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Sometimes
          containers:
            - name: Main
              image: registry.k8s.io/pause:3.10
            - name: side
        """
      Then the request is refused as Invalid for:
        | field                    | cause         |
        | spec.restartPolicy       | not supported |
        | spec.containers[0].name  | invalid       |
        | spec.containers[1].image | required      |
      And there is no Pod "web"

    @id:objects.17 @core
    Scenario Outline: The name <name> is refused, as <why>
      When a Secret "<name>" is created
      Then the request is refused as Invalid for:
        | field         | cause   |
        | metadata.name | invalid |
      And there are no Secrets

      Examples:
        | name      | why                      |
        | Settings  | capitals are not allowed |
        | set_tings | underscores are not      |
        | -settings | it begins with a hyphen  |
        | settings. | it ends with a dot       |

    @id:objects.18 @core
    Scenario: An update that breaks a rule changes nothing
      Given a Secret "fixed" with:
        | field     | value |
        | immutable | true  |
      And the version of the Secret "fixed" is called "before"
      When the Secret "fixed" is updated:
        | field            | value |
        | stringData.color | blue  |
      Then the request is refused as Invalid for:
        | field | cause     |
        | data  | forbidden |
      And the Secret "fixed" is still at version "before"

  @req:API-15
  Rule: A list holds the objects of one kind in one namespace, or in all

    @id:objects.19 @core
    Scenario: A list holds what its namespace holds, at one version
      Given a Namespace "other"
      And these Secrets:
        | name | namespace |
        | a    | home      |
        | b    | home      |
        | c    | other     |
      When the Secrets are listed
      Then the list holds exactly "a" and "b"
      And the answer has:
        | field                    | value      |
        | kind                     | SecretList |
        | metadata.resourceVersion | (present)  |

    @id:objects.20 @core
    Scenario: A list over all namespaces holds the objects of each
      Given a Namespace "other"
      And these ConfigMaps:
        | name | namespace | labels  |
        | a    | home      | app=web |
        | a    | other     | app=web |
      When the ConfigMaps in all namespaces labelled "app=web" are listed
      Then the list holds 2 objects, each once

    @id:objects.21 @core
    Scenario: A list of nothing is an empty list, not a refusal
      When the Secrets are listed
      Then the request is accepted
      And the list is empty
