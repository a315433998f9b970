Feature: Deletion
  Deleting is asking for an end, which may take its time. An object with finalizers, or with grace, is marked first:
  it has a time of deletion, and there is no way back. It is gone when its last finalizer is and its grace is over.

  @req:API-20
  Rule: A deletion can be bound to the very object, or the very version, that is meant

    @id:deletion.01 @core
    Scenario Outline: A deletion that means another <what> is refused
      Given a ConfigMap "settings"
      And the <what> of the ConfigMap "settings" is called "first"
      And somebody has deleted the ConfigMap "settings"
      And a ConfigMap "settings"
      When the ConfigMap "settings" is deleted with:
        | option | value |
        | <what> | first |
      Then the request is refused as Conflict
      And the ConfigMap "settings" has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |

      Examples:
        | what    |
        | uid     |
        | version |

    @id:deletion.02 @core
    Scenario Outline: A deletion that means this <what> goes through
      Given a ConfigMap "settings"
      And the <what> of the ConfigMap "settings" is called "this"
      When the ConfigMap "settings" is deleted with:
        | option | value |
        | <what> | this  |
      Then the request is accepted
      And there is no ConfigMap "settings"

      Examples:
        | what    |
        | uid     |
        | version |

    @id:deletion.03 @core
    Scenario: What is gone cannot be deleted again
      Given a ConfigMap "settings"
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is deleted
      Then the request is refused as NotFound

  @req:API-20
  Rule: An object with finalizers stays, marked, until the last of them is taken away

    @id:deletion.04 @core
    Scenario: A deleted object with a finalizer is marked and stays
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
        | data.color          | blue               |
      When the ConfigMap "settings" is deleted
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value              |
        | metadata.deletionTimestamp | (present)          |
        | metadata.finalizers        | [example.com/hold] |
        | data.color                 | blue               |

    @id:deletion.05 @core
    Scenario: It goes with its last finalizer
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then the request is accepted
      And there is no ConfigMap "settings"

    @id:deletion.06 @core
    Scenario: It stays while one finalizer is left
      Given a ConfigMap "settings" with:
        | field               | value                                |
        | metadata.finalizers | [example.com/hold, example.com/wait] |
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field               | value              |
        | metadata.finalizers | [example.com/wait] |
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value              |
        | metadata.deletionTimestamp | (present)          |
        | metadata.finalizers        | [example.com/wait] |

    @id:deletion.07 @core
    Scenario: Whoever takes the last finalizer away without a deletion keeps the object
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the ConfigMap "settings" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then the ConfigMap "settings" has:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |
        | metadata.finalizers        | (absent) |

    @id:deletion.08 @core
    Scenario: No finalizer can be added to an object that is going
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field               | value                                |
        | metadata.finalizers | [example.com/hold, example.com/wait] |
      Then the request is refused as Invalid for:
        | field               | cause     |
        | metadata.finalizers | forbidden |

    @id:deletion.09 @core
    Scenario: An object that is going can still be changed
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | blue  |
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value     |
        | data.color                 | blue      |
        | metadata.deletionTimestamp | (present) |

    @id:deletion.10 @core
    Scenario: A deletion cannot be taken back
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field                      | value    |
        | metadata.deletionTimestamp | (absent) |
      Then the request is accepted
      And the ConfigMap "settings" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |

    @id:deletion.11 @core
    Scenario: A name is not free before the object is gone
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And somebody has deleted the ConfigMap "settings"
      When a ConfigMap "settings" is created
      Then the request is refused as AlreadyExists

    @id:deletion.12 @core
    Scenario: A watch sees first the mark and then the end
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And a watch of the ConfigMaps where "metadata.name=settings"
      And somebody has deleted the ConfigMap "settings"
      When the ConfigMap "settings" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then the watch delivers:
        | event    | name     | metadata.deletionTimestamp |
        | modified | settings | (present)                  |
        | deleted  | settings | (present)                  |

  @req:API-20
  Rule: A Pod on a node is given its grace, which can be shortened but not prolonged

    # No such node exists, so that nobody but the API server acts on the Pod.
    @id:deletion.13 @core
    Scenario: A Pod on a node is marked with the grace that its spec grants
      Given a Pod "web" with:
        | field                              | value   |
        | spec.nodeName                      | nowhere |
        | spec.terminationGracePeriodSeconds | 40      |
      When the Pod "web" is deleted
      Then the request is accepted
      And the Pod "web" has:
        | field                               | value     |
        | metadata.deletionTimestamp          | (present) |
        | metadata.deletionGracePeriodSeconds | 40        |

    @id:deletion.14 @core
    Scenario: A Pod that is on no node goes at once
      Given a Pod "web" with:
        | field                              | value  |
        | spec.schedulerName                 | nobody |
        | spec.terminationGracePeriodSeconds | 40     |
      When the Pod "web" is deleted
      Then the request is accepted
      And there is no Pod "web"

    @id:deletion.15 @core
    Scenario Outline: A grace of 40 seconds, asked to be <asked>, is then <granted>
      Given a Pod "web" with:
        | field                              | value   |
        | spec.nodeName                      | nowhere |
        | spec.terminationGracePeriodSeconds | 40      |
      And somebody has deleted the Pod "web"
      When the Pod "web" is deleted with:
        | option       | value   |
        | grace period | <asked> |
      Then the request is accepted
      And the Pod "web" has:
        | field                               | value     |
        | metadata.deletionGracePeriodSeconds | <granted> |

      Examples:
        | asked | granted |
        | 20    | 20      |
        | 60    | 40      |

    @id:deletion.16 @core
    Scenario: A Pod without grace goes at once
      Given a Pod "web" with:
        | field                              | value   |
        | spec.nodeName                      | nowhere |
        | spec.terminationGracePeriodSeconds | 40      |
      When the Pod "web" is deleted with:
        | option       | value |
        | grace period | 0     |
      Then the request is accepted
      And there is no Pod "web"

    @id:deletion.17 @core
    Scenario: A Pod whose grace is over stays as long as its finalizers do
      Given a Pod "web" with:
        | field               | value              |
        | spec.nodeName       | nowhere            |
        | metadata.finalizers | [example.com/hold] |
      When the Pod "web" is deleted with:
        | option       | value |
        | grace period | 0     |
      Then the request is accepted
      And the Pod "web" has:
        | field                               | value     |
        | metadata.deletionTimestamp          | (present) |
        | metadata.deletionGracePeriodSeconds | 0         |

  # The garbage collector takes its finalizers off as soon as it has done its work: only the answer surely has them.
  @req:API-20
  Rule: What is to become of the object's dependents is noted as a finalizer for the garbage collector

    @id:deletion.18 @core
    Scenario Outline: Propagation <policy> marks the object with <finalizers>
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the ConfigMap "settings" is deleted with:
        | option      | value    |
        | propagation | <policy> |
      Then the answer has:
        | field                      | value        |
        | metadata.deletionTimestamp | (present)    |
        | metadata.finalizers        | <finalizers> |

      Examples:
        | policy     | finalizers                             |
        | Orphan     | [example.com/hold, orphan]             |
        | Foreground | [example.com/hold, foregroundDeletion] |
        | Background | [example.com/hold]                     |

    @id:deletion.19 @core
    Scenario Outline: Orphaning asked for in the old way as <orphans> marks the object with <finalizers>
      Given a ConfigMap "settings" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      When the ConfigMap "settings" is deleted with:
        | option            | value     |
        | orphan dependents | <orphans> |
      Then the answer has:
        | field                      | value        |
        | metadata.deletionTimestamp | (present)    |
        | metadata.finalizers        | <finalizers> |

      Examples:
        | orphans | finalizers                 |
        | true    | [example.com/hold, orphan] |
        | false   | [example.com/hold]         |

    @id:deletion.20 @core
    Scenario: An unknown propagation policy is refused
      Given a ConfigMap "settings"
      When the ConfigMap "settings" is deleted with:
        | option      | value    |
        | propagation | Sideways |
      Then the request is refused as Invalid for:
        | field             | cause         |
        | propagationPolicy | not supported |
      And there is a ConfigMap "settings"

    @id:deletion.21 @core
    Scenario: Propagation asked for in both ways at once is refused
      Given a ConfigMap "settings"
      When the ConfigMap "settings" is deleted with:
        | option            | value  |
        | propagation       | Orphan |
        | orphan dependents | true   |
      Then the request is refused as Invalid for:
        | field             | cause   |
        | propagationPolicy | invalid |
      And there is a ConfigMap "settings"

  @req:API-20
  Rule: A collection is deleted as each of its objects would be

    @id:deletion.22 @core
    Scenario: What the selector selects is deleted, and nothing else
      Given these ConfigMaps:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
        | c    | app=db  |
        | d    |         |
      When all ConfigMaps labelled "app=web" are deleted
      Then the request is accepted
      And there are no ConfigMaps labelled "app=web"
      And there is a ConfigMap "c"
      And there is a ConfigMap "d"

    @id:deletion.23 @core
    Scenario: What has finalizers is marked, and the rest is gone
      Given these ConfigMaps:
        | name | labels  | metadata.finalizers |
        | a    | app=web |                     |
        | b    | app=web | [example.com/hold]  |
      When all ConfigMaps labelled "app=web" are deleted
      Then the request is accepted
      And the only ConfigMaps labelled "app=web" are "b"
      And the ConfigMap "b" has:
        | field                      | value     |
        | metadata.deletionTimestamp | (present) |

    @id:deletion.24 @core
    Scenario: A collection is deleted in its own namespace only
      Given a Namespace "other"
      And these Secrets:
        | name   | namespace |
        | first  | home      |
        | second | other     |
      When all Secrets are deleted
      Then the request is accepted
      And there are no Secrets
      And there is a Secret "second" in namespace "other"
