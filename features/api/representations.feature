Feature: Representations
  A client says in which form it wants an answer: as the objects themselves, as a table for people to read, or as no
  more than the metadata, where that is all it needs. It is the same answer in each form.

  @req:API-22
  Rule: A table shows what people want to know of each object

    @id:representations.01 @core
    Scenario: Pods in a table
      Given these Pods:
        | name | spec.schedulingGates       |
        | web  | [{name: example.com/hold}] |
        | db   | [{name: example.com/hold}] |
      And the next answer is asked for as a Table
      When the Pods are listed
      Then the table shows:
        | Name | Ready | Status          | Restarts |
        | web  | 0/1   | SchedulingGated | 0        |
        | db   | 0/1   | SchedulingGated | 0        |
      And the columns for a wide table are "IP", "Node", "Nominated Node" and "Readiness Gates"

    @id:representations.02 @core
    Scenario: Deployments in a table
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 0     |
      And the next answer is asked for as a Table
      When the Deployments are listed
      Then the table shows:
        | Name | Ready | Up-to-date | Available | Containers | Images                     | Selector |
        | web  | 0/0   | 0          | 0         | main       | registry.k8s.io/pause:3.10 | app=web  |
      And the columns for a wide table are "Containers", "Images" and "Selector"

    @id:representations.03 @core
    Scenario: One object in a table
      Given a Secret "password" with:
        | field               | value |
        | stringData.username | me    |
        | stringData.password | x     |
      And the next answer is asked for as a Table
      When the Secret "password" is read
      Then the table shows:
        | Name     | Type   | Data |
        | password | Opaque | 2    |

    @id:representations.04 @core
    Scenario: A table tells which objects it shows
      Given a Secret "password" with:
        | field               | value |
        | metadata.labels.app | web   |
        | stringData.username | me    |
      And the next answer is asked for as a Table
      When the Secrets where "metadata.name=password" are listed
      Then the answer has:
        | field                              | value                 |
        | kind                               | Table                 |
        | apiVersion                         | meta.k8s.io/v1        |
        | metadata.resourceVersion           | (present)             |
        | rows[0].object.kind                | PartialObjectMetadata |
        | rows[0].object.metadata.name       | password              |
        | rows[0].object.metadata.labels.app | web                   |
        | rows[0].object.data                | (absent)              |

    @id:representations.05 @core
    Scenario: A watch can be told in rows of a table
      Given the next answer is asked for as a Table
      And a watch of the Secrets
      When these changes are made:
        | change | object     | stringData.username |
        | create | Secret "a" | me                  |
        | delete | Secret "a" |                     |
      Then the watch delivers:
        | event   | name | kind  | rows[0].cells[0] | rows[0].cells[1] |
        | added   |      | Table | a                | Opaque           |
        | deleted |      | Table | a                | Opaque           |

    @id:representations.11 @core
    Scenario: A question that is only answered has no table
      Given the next answer is asked for as a Table
      When this SelfSubjectAccessReview is created:
        """
        spec: {nonResourceAttributes: {path: /, verb: get}}
        """
      Then the request is refused as NotAcceptable

  @req:API-22
  Rule: Metadata alone can be asked for

    @id:representations.06 @core
    Scenario: The metadata of one object
      Given a ConfigMap "settings" with:
        | field               | value |
        | metadata.labels.app | web   |
        | data.color          | blue  |
      And the next answer is asked for as metadata only
      When the ConfigMap "settings" is read
      Then the answer has:
        | field               | value                 |
        | kind                | PartialObjectMetadata |
        | apiVersion          | meta.k8s.io/v1        |
        | metadata.name       | settings              |
        | metadata.labels.app | web                   |
        | data                | (absent)              |

    @id:representations.07 @core
    Scenario: The metadata of a collection
      Given these Secrets:
        | name | labels  | stringData.color |
        | a    | app=web | blue             |
        | b    | app=web | blue             |
        | c    | app=db  | blue             |
      And the next answer is asked for as a list of metadata only
      When the Secrets labelled "app=web" are listed
      Then the list holds exactly "a" and "b"
      And each object of the list has:
        | field               | value    |
        | metadata.labels.app | web      |
        | data                | (absent) |
      And the answer has:
        | field | value                     |
        | kind  | PartialObjectMetadataList |

    @id:representations.08 @core
    Scenario: A watch of metadata
      Given the next answer is asked for as metadata only
      And a watch of the Secrets
      When these changes are made:
        | change | object     | metadata.labels.app | stringData.color |
        | create | Secret "a" | web                 | blue             |
        | update | Secret "a" | db                  |                  |
      Then the watch delivers:
        | event    | name | kind                  | metadata.labels.app | data     |
        | added    | a    | PartialObjectMetadata | web                 | (absent) |
        | modified | a    | PartialObjectMetadata | db                  | (absent) |

  @req:API-22
  Rule: An answer comes in a language that the client reads

    @id:representations.09 @core
    Scenario: An answer in YAML
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the next answer is asked for as "application/yaml"
      When the ConfigMap "settings" is read
      Then the answer has:
        | field | value                        |
        | text  | /(?s).*data:\n +color: blue\n.*/ |

    @id:representations.10 @core
    Scenario: A client that reads nothing that the server writes gets no object
      Given a ConfigMap "settings"
      And the next answer is asked for as "text/html"
      When the ConfigMap "settings" is read
      Then the request is refused as NotAcceptable
