Feature: Patches
  A patch says what is to change instead of what the object is to be. There are three formats: a JSON patch lists
  operations, a merge patch is laid over the object, and a strategic merge patch is laid over it by somebody who knows
  which lists have named entries. What a patch does not mention stays as it is.

  @req:API-19
  Rule: A JSON patch carries out its operations one after the other, all of them or none

    @id:patches.01 @core
    Scenario: Every operation does what its name says, in the order given
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
        | data.shape | round |
      When the ConfigMap "settings" is changed by the JSON patch:
        """
        - {op: test, path: /data/color, value: blue}
        - {op: add, path: /data/size, value: large}
        - {op: replace, path: /data/color, value: green}
        - {op: copy, from: /data/color, path: /data/trim}
        - {op: move, from: /data/size, path: /data/format}
        - {op: remove, path: /data/shape}
        """
      Then the ConfigMap "settings" has:
        | field | value                                      |
        | data  | {color: green, trim: green, format: large} |

    @id:patches.02 @core
    Scenario: A test that fails stops the whole patch
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by the JSON patch:
        """
        - {op: add, path: /data/size, value: large}
        - {op: test, path: /data/color, value: green}
        """
      Then the request is refused as Invalid
      And the ConfigMap "settings" is still at version "before"

    @id:patches.03 @core
    Scenario Outline: An operation that does not fit the object is refused: <why>
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by the JSON patch:
        """
        - {op: add, path: /data/size, value: large}
        - <operation>
        """
      Then the request is refused as Invalid
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | why                               | operation                                              |
        | it removes what is not there      | {op: remove, path: /data/shape}                        |
        | it adds below what is not there   | {op: add, path: /metadata/annotations/note, value: hi} |
        | there is no such operation        | {op: increase, path: /data/color, value: 1}            |
        | there is no entry of that number  | {op: remove, path: /metadata/managedFields/999}        |

    @id:patches.04 @core
    Scenario: Entries of a list are counted from nought, and the hyphen stands behind the last
      Given a ConfigMap "settings" with:
        | field               | value                          |
        | metadata.finalizers | [example.com/a, example.com/c] |
      When the ConfigMap "settings" is changed by the JSON patch:
        """
        - {op: add, path: /metadata/finalizers/1, value: example.com/b}
        - {op: add, path: /metadata/finalizers/-, value: example.com/d}
        - {op: remove, path: /metadata/finalizers/0}
        """
      Then the ConfigMap "settings" has:
        | field               | value                                         |
        | metadata.finalizers | [example.com/b, example.com/c, example.com/d] |

    @id:patches.05 @core
    Scenario: A slash within a key is written with a tilde
      Given a ConfigMap "settings" with:
        | field                              | value |
        | metadata.labels["example.com/app"] | web   |
      When the ConfigMap "settings" is changed by the JSON patch:
        """
        - {op: replace, path: /metadata/labels/example.com~1app, value: db}
        """
      Then the ConfigMap "settings" has:
        | field           | value                 |
        | metadata.labels | {example.com/app: db} |

  @req:API-19
  Rule: A merge patch sets what it names, removes what it names null and replaces whole lists

    @id:patches.06 @core
    Scenario: A merge patch changes what it names, however deep, and removes what it names null
      Given a ConfigMap "settings" with:
        | field                | value |
        | metadata.labels.app  | web   |
        | metadata.labels.tier | front |
        | data.color           | blue  |
        | data.size            | large |
      When the ConfigMap "settings" is changed by the merge patch:
        """
        metadata: {labels: {tier: back}}
        data: {color: null, shape: round}
        """
      Then the ConfigMap "settings" has:
        | field           | value                       |
        | metadata.labels | {app: web, tier: back}      |
        | data            | {size: large, shape: round} |

    @id:patches.07 @core
    Scenario: A merge patch replaces a list as a whole
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              containers:
                - {name: main, image: "registry.k8s.io/pause:3.9"}
                - {name: side, image: "registry.k8s.io/pause:3.9"}
        """
      When the Deployment "web" is changed by the merge patch:
        """
        spec: {template: {spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}}}
        """
      Then the Deployment "web" has:
        | field                                          | value                      |
        | spec.template.spec.containers[name=main].image | registry.k8s.io/pause:3.10 |
        | spec.template.spec.containers[1]               | (absent)                   |
        | spec.replicas                                  | 0                          |

  @req:API-19
  Rule: A strategic merge patch merges the lists whose entries have a key, and replaces the others

    @id:patches.08 @core
    Scenario: Containers are merged by their names
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              containers:
                - {name: main, image: "registry.k8s.io/pause:3.9", workingDir: /srv}
                - {name: side, image: "registry.k8s.io/pause:3.9"}
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec:
          template:
            spec:
              containers:
                - {name: main, image: "registry.k8s.io/pause:3.10"}
                - {name: more, image: "registry.k8s.io/pause:3.10"}
        """
      Then the Deployment "web" has:
        | field                                               | value                      |
        | spec.template.spec.containers[name=main].image      | registry.k8s.io/pause:3.10 |
        | spec.template.spec.containers[name=main].workingDir | /srv                       |
        | spec.template.spec.containers[name=side].image      | registry.k8s.io/pause:3.9  |
        | spec.template.spec.containers[name=more].image      | registry.k8s.io/pause:3.10 |

    @id:patches.09 @core
    Scenario: Ports of a container are merged by number, its variables by name
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              containers:
                - name: main
                  ports: [{containerPort: 80}, {containerPort: 443, name: https}]
                  env: [{name: COLOR, value: blue}, {name: SIZE, value: large}]
                  image: registry.k8s.io/pause:3.10
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec:
          template:
            spec:
              containers:
                - name: main
                  ports: [{containerPort: 80, name: http}]
                  env: [{name: COLOR, value: green}]
        """
      Then the Deployment "web" has:
        | field                                                             | value |
        | spec.template.spec.containers[0].ports[containerPort=80].name     | http  |
        | spec.template.spec.containers[0].ports[containerPort=80].protocol | TCP   |
        | spec.template.spec.containers[0].ports[containerPort=443].name    | https |
        | spec.template.spec.containers[0].env[name=COLOR].value            | green |
        | spec.template.spec.containers[0].env[name=SIZE].value             | large |

    @id:patches.10 @core
    Scenario: An entry marked for deletion goes, and its neighbours stay
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              containers:
                - {name: main, image: "registry.k8s.io/pause:3.10"}
                - {name: side, image: "registry.k8s.io/pause:3.10"}
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec: {template: {spec: {containers: [{$patch: delete, name: side}]}}}
        """
      Then the Deployment "web" has:
        | field                                    | value     |
        | spec.template.spec.containers[name=main] | (present) |
        | spec.template.spec.containers[1]         | (absent)  |

    @id:patches.11 @core
    Scenario: A list marked for replacement is replaced in spite of its key
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec:
          template:
            spec:
              containers:
                - {$patch: replace}
                - {name: other, image: "registry.k8s.io/pause:3.10"}
        """
      Then the Deployment "web" has:
        | field                                     | value     |
        | spec.template.spec.containers[name=other] | (present) |
        | spec.template.spec.containers[1]          | (absent)  |

    @id:patches.12 @core
    Scenario: The order of entries can be told together with the change
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              containers:
                - {name: first, image: "registry.k8s.io/pause:3.10"}
                - {name: second, image: "registry.k8s.io/pause:3.10"}
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec:
          template:
            spec:
              $setElementOrder/containers: [{name: second}, {name: third}, {name: first}]
              containers: [{name: third, image: "registry.k8s.io/pause:3.10"}]
        """
      Then the Deployment "web" has:
        | field                                 | value  |
        | spec.template.spec.containers[0].name | second |
        | spec.template.spec.containers[1].name | third  |
        | spec.template.spec.containers[2].name | first  |

    @id:patches.13 @core
    Scenario: A set of plain values takes in new ones and gives up those listed for deletion
      Given a ConfigMap "settings" with:
        | field               | value                          |
        | metadata.finalizers | [example.com/a, example.com/b] |
      When the ConfigMap "settings" is changed by the strategic merge patch:
        """
        metadata:
          $deleteFromPrimitiveList/finalizers: [example.com/a]
          finalizers: [example.com/c]
        """
      Then the ConfigMap "settings" has:
        | field                  | value         |
        | metadata.finalizers[2] | (absent)      |
        | metadata.finalizers[0] | /example.com.[bc]/ |
        | metadata.finalizers[1] | /example.com.[bc]/ |

    @id:patches.14 @core
    Scenario: Lists without a key, such as arguments and tolerations, are replaced
      Given a Deployment "web" with:
        """
        spec:
          replicas: 0
          template:
            spec:
              tolerations: [{key: example.com/a, operator: Exists}]
              containers: [{name: main, image: "registry.k8s.io/pause:3.10", args: [-v, one]}]
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec:
          template:
            spec:
              tolerations: [{key: example.com/b, operator: Exists}]
              containers: [{name: main, args: [two]}]
        """
      Then the Deployment "web" has:
        | field                                 | value                                       |
        | spec.template.spec.tolerations        | [{key: example.com/b, operator: Exists}]    |
        | spec.template.spec.containers[0].args | [two]                                       |

    @id:patches.15 @core
    Scenario: A null removes a field, a map's key and a whole list
      Given a Deployment "web" with:
        """
        metadata: {labels: {app: web, tier: front}}
        spec:
          replicas: 0
          template:
            spec:
              nodeSelector: {disk: ssd}
              containers: [{name: main, image: "registry.k8s.io/pause:3.10", args: [-v], workingDir: /srv}]
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        metadata: {labels: {tier: null}}
        spec: {template: {spec: {nodeSelector: null, containers: [{name: main, args: null}]}}}
        """
      Then the Deployment "web" has:
        | field                                       | value      |
        | metadata.labels                             | {app: web} |
        | spec.template.spec.nodeSelector             | (absent)   |
        | spec.template.spec.containers[0].args       | (absent)   |
        | spec.template.spec.containers[0].workingDir | /srv       |

    @id:patches.16 @extended
    Scenario: Keys that may remain can be listed, so that one alternative gives way to another
      Given a Deployment "web" with:
        """
        spec: {replicas: 0, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}
        """
      When the Deployment "web" is changed by the strategic merge patch:
        """
        spec: {strategy: {$retainKeys: [type], type: Recreate}}
        """
      Then the Deployment "web" has:
        | field         | value            |
        | spec.strategy | {type: Recreate} |

  @req:API-19
  Rule: A patch is held to the rules that every change is held to

    @id:patches.17 @core
    Scenario Outline: A <format> that changes nothing makes no new version
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by the <format>:
        """
        <patch>
        """
      Then the request is accepted
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | format                | patch                                            |
        | JSON patch            | [{op: replace, path: /data/color, value: blue}]  |
        | merge patch           | {data: {color: blue, size: null}}                |
        | strategic merge patch | {data: {color: blue, size: null}}                |

    @id:patches.18 @core
    Scenario Outline: A <format> that leaves an object which breaks a rule is refused
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by the <format>:
        """
        <patch>
        """
      Then the request is refused as Invalid for:
        | field         | cause   |
        | data[the hue] | invalid |
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | format                | patch                                                            |
        | JSON patch            | [{op: move, from: /data/color, path: "/data/the hue"}]           |
        | merge patch           | {data: {color: green, the hue: red}}                             |
        | strategic merge patch | {data: {color: green, the hue: red}}                             |

    @id:patches.19 @core
    Scenario: What is not there cannot be patched
      Given a ConfigMap "settings"
      When the ConfigMap "options" is changed by the merge patch:
        """
        data: {color: blue}
        """
      Then the request is refused as NotFound
      And there is no ConfigMap "options"

    @id:patches.20 @core
    Scenario Outline: A <format> of another shape is not understood
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by the <format>:
        """
        <patch>
        """
      Then the request is refused as BadRequest
      And the ConfigMap "settings" is still at version "before"

      Examples:
        | format                | patch                                         |
        | JSON patch            | {op: add, path: /data, value: {color: blue}}  |
        | merge patch           | [{data: {color: blue}}]                       |
        | strategic merge patch | [{data: {color: blue}}]                       |

    @id:patches.21 @core
    Scenario: A patch of an unknown format is refused
      Given a ConfigMap "settings"
      And the version of the ConfigMap "settings" is called "before"
      When the ConfigMap "settings" is changed by this text of the type "application/json":
        """
        {"data": {"color": "blue"}}
        """
      Then the request is refused as UnsupportedMediaType
      And the ConfigMap "settings" is still at version "before"

    @id:patches.22 @core
    Scenario: A patch that names a version which is no longer the latest is refused
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the version of the ConfigMap "settings" is called "old"
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      When the ConfigMap "settings" is changed from version "old" by the merge patch:
        """
        data: {size: large}
        """
      Then the request is refused as Conflict
      And the ConfigMap "settings" has:
        | field | value          |
        | data  | {color: green} |

    @id:patches.23 @core
    Scenario: A patch leaves alone what somebody else has changed meanwhile
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
        | data.size  | large |
      And somebody has changed the ConfigMap "settings":
        | field      | value |
        | data.color | green |
      When the ConfigMap "settings" is changed by the merge patch:
        """
        data: {size: small}
        """
      Then the ConfigMap "settings" has:
        | field | value                       |
        | data  | {color: green, size: small} |
