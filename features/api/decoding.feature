Feature: Decoding
  What is sent to an API server must be an object of the kind that its place is for. Its fields are decoded by their
  types before anybody looks at what they mean: what cannot be decoded is refused as a whole, and what the kind does
  not know is left out, refused or ignored, as the client asks.

  @req:API-13
  Rule: A body that cannot be decoded is refused as a whole

    @id:decoding.01 @core
    Scenario Outline: A body that <is wrong> is refused
      When this text is sent as a new ConfigMap:
        """
        <text>
        """
      Then the request is refused as BadRequest
      And the refusal has no causes
      And there is no ConfigMap "settings"

      Examples:
        | is wrong       | text                                                            |
        | ends too early | {"metadata": {"name": "settings"}, "data": {"color": "blue"     |
        | is a list      | [{"metadata": {"name": "settings"}, "data": {"color": "blue"}}] |
        | is a word      | "settings"                                                      |
        | is not JSON    | name=settings&color=blue                                        |

    @id:decoding.02 @core
    Scenario Outline: <field> of a <kind> cannot be <value>, for it is <type>
      When a <kind> "web" is created with:
        | field   | value   |
        | <field> | <value> |
      Then the request is refused as BadRequest
      And the refusal has no causes
      And there is no <kind> "web"

      Examples:
        | kind       | field                       | value      | type                       |
        | Pod        | spec.containers             | nginx      | a list                     |
        | Deployment | spec.replicas               | "three"    | a number                   |
        | Deployment | spec.replicas               | 1.5        | a whole number             |
        | Deployment | spec.replicas               | 2147483648 | a number of 32 bits        |
        | Deployment | spec.paused                 | "yes"      | true or false              |
        | ConfigMap  | data.retries                | 3          | a map of strings           |
        | Service    | spec.ports[0].targetPort    | true       | a number or a name         |
        | Secret     | data.password               | tell-me!   | bytes in base64            |
        | Pod        | spec.containers[0].resources.limits.memory | 10 apples | a quantity   |
        | Lease      | spec.renewTime              | yesterday  | a time                     |

    @id:decoding.03 @core
    Scenario: A null is as good as nothing
      When a Service "web" is created with:
        | field                  | value |
        | metadata.labels        | null  |
        | spec.sessionAffinity   | null  |
        | spec.ports[0].protocol | null  |
      Then the request is accepted
      And the Service "web" has:
        | field                  | value    |
        | metadata.labels        | (absent) |
        | spec.sessionAffinity   | None     |
        | spec.ports[0].protocol | TCP      |

    @id:decoding.04 @core
    Scenario: A body that is too large is refused before it is decoded
      When a ConfigMap "large" with 3300000 bytes of data is created
      Then the request is refused as RequestEntityTooLarge
      And there is no ConfigMap "large"

    @id:decoding.05 @core
    Scenario: A body in a language that the server does not read is refused
      When this text of the type "text/plain" is sent as a new ConfigMap:
        """
        {"metadata": {"name": "settings"}}
        """
      Then the request is refused as UnsupportedMediaType
      And there is no ConfigMap "settings"

    @id:decoding.06 @core
    Scenario: A body may be written in YAML
      When this text of the type "application/yaml" is sent as a new ConfigMap:
        """
        metadata:
          name: settings
        data:
          color: blue
        """
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field      | value |
        | data.color | blue  |

  @req:API-13
  Rule: A field that the kind does not know is left out with a warning, refused or ignored, as the client asks

    @id:decoding.07 @core
    Scenario Outline: If nothing is asked, the unknown field <unknown> is left out with a warning
      When a Service "web" is created with:
        | field     | value |
        | <unknown> | blue  |
      Then the request is accepted
      And a warning mentions "<unknown>"
      And the Service "web" has:
        | field     | value    |
        | <unknown> | (absent) |

      Examples:
        | unknown                |
        | colour                 |
        | spec.selectors         |
        | spec.ports[0].Protocol |

    @id:decoding.08 @core
    Scenario: Strict validation refuses unknown fields and names each of them
      Given the next request asks for Strict field validation
      When a Service "web" is created with:
        | field                  | value |
        | spec.selectors         | blue  |
        | spec.ports[0].Protocol | TCP   |
      Then the request is refused as BadRequest
      And the refusal mentions "spec.selectors"
      And the refusal mentions "spec.ports[0].Protocol"
      And there is no Service "web"

    @id:decoding.09 @core
    Scenario: Strict validation accepts what the kind knows
      Given the next request asks for Strict field validation
      When a Service "web" is created with:
        | field             | value |
        | spec.selector.app | web   |
      Then the request is accepted
      And there is no warning

    @id:decoding.10 @core
    Scenario: Without validation unknown fields are left out in silence
      Given the next request asks for Ignore field validation
      When a Service "web" is created with:
        | field          | value |
        | spec.selectors | blue  |
      Then the request is accepted
      And there is no warning
      And the Service "web" has:
        | field          | value    |
        | spec.selectors | (absent) |

    @id:decoding.11 @core
    Scenario: There are no other ways of validation
      Given the next request asks for Loose field validation
      When a ConfigMap "settings" is created
      Then the request is refused as Invalid for:
        | field           | cause         |
        | fieldValidation | not supported |
      And there is no ConfigMap "settings"

    @id:decoding.12 @core
    Scenario: Of a field that is written twice the last counts, with a warning
      When this text is sent as a new ConfigMap:
        """
        {"metadata": {"name": "settings"}, "immutable": true, "immutable": false}
        """
      Then the request is accepted
      And a warning mentions "immutable"
      And the ConfigMap "settings" has:
        | field     | value |
        | immutable | false |

    @id:decoding.13 @core
    Scenario: Strict validation refuses a field that is written twice
      Given the next request asks for Strict field validation
      When this text is sent as a new ConfigMap:
        """
        {"metadata": {"name": "settings"}, "immutable": true, "immutable": false}
        """
      Then the request is refused as BadRequest
      And the refusal mentions "immutable"
      And there is no ConfigMap "settings"

    @id:decoding.14 @core
    Scenario: An update with an unknown field is refused under strict validation, and changes nothing
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "before"
      And the next request asks for Strict field validation
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | blue  |
        | colour     | blue  |
      Then the request is refused as BadRequest
      And the refusal mentions "colour"
      And the ConfigMap "settings" is still at version "before"

    @id:decoding.15 @core
    Scenario Outline: What a <format> brings that the kind does not know is left out with a warning
      Given a ConfigMap "settings"
      When the ConfigMap "settings" is changed by the <format>:
        """
        {colour: blue, data: {color: blue}}
        """
      Then the request is accepted
      And a warning mentions "colour"
      And the ConfigMap "settings" has:
        | field      | value    |
        | colour     | (absent) |
        | data.color | blue     |

      Examples:
        | format                |
        | merge patch           |
        | strategic merge patch |

    @id:decoding.16 @core
    Scenario Outline: A <format> that does not make an object of the kind, as it <makes>, is refused
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "before"
      And the next request asks for Strict field validation
      When the ConfigMap "settings" is changed by the <format>:
        """
        <patch>
        """
      Then the request is refused as Invalid for:
        | field | cause   |
        | patch | invalid |
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | format                | makes                 | patch                                      |
        | merge patch           | brings unknown fields | {colour: blue}                             |
        | strategic merge patch | brings unknown fields | {colour: blue}                             |
        | JSON patch            | brings unknown fields | [{op: add, path: /colour, value: blue}]    |
        | merge patch           | confuses types        | {immutable: "no"}                          |
        | JSON patch            | confuses types        | [{op: add, path: /immutable, value: "no"}] |

  @req:API-13
  Rule: A body that says where it belongs must say what its place says

    @id:decoding.17 @core
    Scenario Outline: A body of <what> is refused at the place of ConfigMaps
      Given a Namespace "other"
      When this ConfigMap is created:
        """
        {apiVersion: <version>, kind: <kind>, metadata: {name: settings, namespace: <namespace>}}
        """
      Then the request is refused as BadRequest
      And there is no ConfigMap "settings"
      And there is no ConfigMap "settings" in namespace "other"

      Examples:
        | what              | version | kind      | namespace |
        | another kind      | v1      | Secret    | home      |
        | another version   | v2      | ConfigMap | home      |
        | another group     | apps/v1 | ConfigMap | home      |
        | another namespace | v1      | ConfigMap | other     |

    @id:decoding.18 @core
    Scenario: An update under another name is refused
      Given a ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field         | value   |
        | metadata.name | options |
        | data.color    | blue    |
      Then the request is refused as BadRequest
      And there is no ConfigMap "options"
      And the ConfigMap "settings" has:
        | field | value    |
        | data  | (absent) |

    @id:decoding.19 @core
    Scenario: A body that says nothing of kind, version and namespace is of its place
      When this ConfigMap is created:
        """
        {metadata: {name: settings}}
        """
      Then the request is accepted
      And the answer has:
        | field              | value     |
        | apiVersion         | v1        |
        | kind               | ConfigMap |
        | metadata.namespace | home      |
