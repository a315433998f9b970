Feature: Watches
  Who watches a collection is told of every change to it: each change once, in the order in which they were made,
  with the object as it was then. A watch goes on from a version, such as that of a list, so that a list and a watch
  together show the collection without a gap.

  @req:API-16
  Rule: A watch tells every change after its version, in order, once

    @id:watches.01 @core
    Scenario: A watch tells what is created, changed and deleted
      Given a watch of the ConfigMaps where "metadata.name=settings"
      When these changes are made:
        | change | object               | data.color |
        | create | ConfigMap "settings" | blue       |
        | update | ConfigMap "settings" | green      |
        | update | ConfigMap "settings" | red        |
        | delete | ConfigMap "settings" |            |
      Then the watch delivers:
        | event    | name     | kind      | data.color |
        | added    | settings | ConfigMap | blue       |
        | modified | settings | ConfigMap | green      |
        | modified | settings | ConfigMap | red        |
        | deleted  | settings | ConfigMap | red        |
      And each event has a newer version than the one before

    @id:watches.02 @core
    Scenario: A watch from the version of a list tells what the list does not show yet
      Given these Secrets:
        | name |
        | a    |
        | b    |
      And the version of all Secrets is called "listed"
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | create | Secret "c" |                       |
        | update | Secret "a" | green                 |
        | delete | Secret "b" |                       |
      When the Secrets are watched from version "listed"
      Then the watch delivers:
        | event    | name | metadata.labels.color |
        | added    | c    | (absent)              |
        | modified | a    | green                 |
        | deleted  | b    | (absent)              |

    @id:watches.03 @core
    Scenario: Of a long history nothing is missed, repeated or moved
      Given a watch of the Secrets
      When 60 changes are made to 5 Secrets by several writers
      Then every watch delivers these changes, each once and in order

    @id:watches.04 @core
    Scenario: All who watch are told the same
      Given 4 watches of the Secrets
      When 30 changes are made to 3 Secrets by several writers
      Then every watch delivers these changes, each once and in order

    @id:watches.05 @core
    Scenario: An update that changes nothing is no event
      Given a Secret "a" with:
        | field                 | value |
        | metadata.labels.color | blue  |
      And a watch of the Secrets
      When the Secret "a" is updated:
        | field                 | value |
        | metadata.labels.color | blue  |
      Then the request is accepted
      And the watch delivers nothing

    @id:watches.06 @core
    Scenario: A change of the status is a change of the object
      Given a Service "web"
      And a watch of the Services
      When the status of the Service "web" is updated:
        """
        status:
          conditions:
            - type: example.com/Checked
              status: "True"
              reason: Checked
              message: ""
              lastTransitionTime: 2026-01-01T00:00:00Z
        """
      Then the watch delivers:
        | event    | name | status.conditions[0].status |
        | modified | web  | "True"                      |

    @id:watches.07 @core
    Scenario: A deletion that a finalizer holds up is a change first, and a deletion when nothing holds it any more
      Given a Secret "a" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And a watch of the Secrets
      When these changes are made:
        | change | object     | metadata.finalizers |
        | delete | Secret "a" |                     |
        | update | Secret "a" | []                  |
      Then the watch delivers:
        | event    | name | metadata.deletionTimestamp |
        | modified | a    | (present)                  |
        | deleted  | a    | (present)                  |
      And each event has a newer version than the one before

  @req:API-16
  Rule: A watch tells of the objects that it is a watch of, and of no other

    @id:watches.08 @core
    Scenario: Other kinds and other namespaces are other watches' matter
      Given a Namespace "other"
      And a watch of the Secrets
      When these changes are made:
        | change | object                          |
        | create | ConfigMap "a"                   |
        | create | Secret "b" in namespace "other" |
        | create | Secret "c"                      |
        | delete | Secret "b" in namespace "other" |
        | delete | ConfigMap "a"                   |
      Then the watch delivers:
        | event | name |
        | added | c    |

    @id:watches.09 @core
    Scenario: A watch over all namespaces tells of each
      Given a Namespace "other"
      And a watch of the Secrets in all namespaces labelled "watch=everywhere"
      When these changes are made:
        | change | object                          | metadata.labels.watch |
        | create | Secret "a"                      | everywhere            |
        | create | Secret "a" in namespace "other" | everywhere            |
        | delete | Secret "a"                      |                       |
      Then the watch delivers:
        | event   | name | metadata.namespace |
        | added   | a    | home               |
        | added   | a    | other              |
        | deleted | a    | home               |

    @id:watches.10 @core
    Scenario: A watch of one object tells of that one
      Given a watch of the Secrets where "metadata.name=b"
      When these changes are made:
        | change | object     |
        | create | Secret "a" |
        | create | Secret "b" |
        | delete | Secret "a" |
        | delete | Secret "b" |
      Then the watch delivers:
        | event   | name |
        | added   | b    |
        | deleted | b    |

  @req:API-16
  Rule: A watch that starts from no version begins with what is there

    @id:watches.11 @core
    Scenario: What is there is told as added
      Given these Secrets:
        | name | labels     |
        | a    | color=blue |
        | b    | color=blue |
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | update | Secret "a" | green                 |
        | create | Secret "c" | green                 |
        | delete | Secret "b" |                       |
      When the Secrets are watched
      Then the watch adds exactly "a" and "c"

    @id:watches.12 @core
    Scenario: What happens then follows
      Given a Secret "a"
      And a watch of the Secrets with:
        | option  | value  |
        | version | (none) |
      When these changes are made:
        | change | object     | metadata.labels.color |
        | update | Secret "a" | green                 |
        | create | Secret "b" |                       |
      Then the watch delivers:
        | event    | name | metadata.labels.color |
        | added    | a    | (absent)              |
        | modified | a    | green                 |
        | added    | b    | (absent)              |

    @id:watches.13 @core
    Scenario: A watch from any version begins with what is there at that version
      Given a Secret "a"
      When the Secrets are watched with:
        | option  | value |
        | version | 0     |
      Then the watch adds exactly "a"

    @id:watches.14 @extended
    Scenario: A watch that asks for it is told when it has seen all that was there
      Given a Secret "a"
      And a watch of the Secrets with:
        | option         | value        |
        | version        | (none)       |
        | version match  | NotOlderThan |
        | initial events | true         |
        | bookmarks      | true         |
      When these changes are made:
        | change | object     |
        | create | Secret "b" |
      Then the watch delivers:
        | event    | name | metadata.annotations["k8s.io/initial-events-end"] |
        | added    | a    |                                                   |
        | bookmark |      | "true"                                            |
        | added    | b    |                                                   |

    @id:watches.15 @extended
    Scenario: Where nothing was there, that is told at once
      When the Secrets are watched with:
        | option         | value        |
        | version match  | NotOlderThan |
        | initial events | true         |
        | bookmarks      | true         |
      Then the watch delivers:
        | event    | name | metadata.annotations["k8s.io/initial-events-end"] |
        | bookmark |      | "true"                                            |

    @id:watches.16 @extended
    Scenario: A watch can ask not to be told what was there
      Given a Secret "a"
      And a watch of the Secrets with:
        | option         | value        |
        | version        | (none)       |
        | version match  | NotOlderThan |
        | initial events | false        |
      When these changes are made:
        | change | object     |
        | create | Secret "b" |
      Then the watch adds exactly "b"

    @id:watches.17 @extended
    Scenario: What was there is not told as it was at a version yet to come
      Given a Secret "a"
      When the Secrets are watched with:
        | option         | value        |
        | version        | 999999999999 |
        | version match  | NotOlderThan |
        | initial events | true         |
        | bookmarks      | true         |
      Then the watch is refused as Timeout

    @id:watches.18 @extended
    Scenario Outline: Initial events <initial events> with the match <match> are refused
      When the Secrets are watched with:
        | option         | value            |
        | version        | 0                |
        | version match  | <match>          |
        | initial events | <initial events> |
        | bookmarks      | true             |
      Then the watch is refused as Invalid

      Examples:
        | initial events | match        |
        | true           | (none)       |
        | true           | Exact        |
        | (none)         | NotOlderThan |

  @req:API-16
  Rule: A watch ends, and can be resumed without gap or repetition

    @id:watches.19 @core
    Scenario: Resumed after the last event, it tells what has been missed
      Given a watch of the Secrets
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | create | Secret "a" | blue                  |
        | create | Secret "b" | blue                  |
        | update | Secret "a" | green                 |
      And the watch has broken off
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | update | Secret "b" | green                 |
        | delete | Secret "a" |                       |
        | create | Secret "a" | red                   |
      When the watch is resumed after the last event
      Then the watch delivers:
        | event    | name | metadata.labels.color |
        | added    | a    | blue                  |
        | added    | b    | blue                  |
        | modified | a    | green                 |
        | modified | b    | green                 |
        | deleted  | a    | green                 |
        | added    | a    | red                   |

    @id:watches.20 @core
    Scenario: Resumed after a deletion, it does not tell it again
      Given a Secret "a"
      And a watch of the Secrets
      And these changes have been made:
        | change | object     |
        | create | Secret "b" |
        | delete | Secret "a" |
      And the watch has broken off
      And these changes have been made:
        | change | object     |
        | create | Secret "c" |
      When the watch is resumed after the last event
      Then the watch delivers:
        | event   | name |
        | added   | b    |
        | deleted | a    |
        | added   | c    |

    @id:watches.21 @core
    Scenario: A long history survives the interruption
      Given a watch of the Secrets
      And 20 changes have been made to 4 Secrets by several writers
      And the watch has broken off
      And 20 changes have been made to 4 Secrets by several writers
      When the watch is resumed after the last event
      Then every watch delivers these changes, each once and in order

    @id:watches.22 @extended
    Scenario: A bookmark tells how far the watch has come, so that it can be resumed from there
      Given a watch of the Secrets with:
        | option    | value |
        | bookmarks | true  |
        | timeout   | 6     |
      And these changes have been made:
        | change | object     |
        | create | Secret "a" |
        | delete | Secret "a" |
      And the watch has delivered a bookmark
      And the watch has broken off
      And these changes have been made:
        | change | object     |
        | create | Secret "b" |
      When the watch is resumed after the last event
      Then the watch delivers:
        | event   | name |
        | added   | a    |
        | deleted | a    |
        | added   | b    |

    @id:watches.27 @extended
    Scenario: A bookmark carries a version, and nothing of any object
      Given a watch of the Secrets with:
        | option    | value |
        | bookmarks | true  |
        | timeout   | 6     |
      When these changes are made:
        | change | object     | metadata.labels.color |
        | create | Secret "a" | blue                  |
      Then the watch delivers a bookmark with:
        | field                    | value     |
        | kind                     | Secret    |
        | apiVersion               | v1        |
        | metadata.resourceVersion | (present) |
        | metadata.name            | (absent)  |
        | metadata.labels          | (absent)  |

    @id:watches.23 @core
    Scenario: Bookmarks come only to those who ask for them
      When the Secrets are watched with:
        | option  | value |
        | version | 0     |
        | timeout | 5     |
      Then the watch ends by itself
      And no bookmark has been delivered

    @id:watches.24 @core
    Scenario: A watch lasts as long as it was asked to
      Given a watch of the Secrets with:
        | option  | value |
        | timeout | 2     |
      When these changes are made:
        | change | object     |
        | create | Secret "a" |
      Then the watch ends by itself
      And the watch delivers:
        | event | name |
        | added | a    |

    @id:watches.25 @core @needs:time.skip
    Scenario: A version that is too old to be remembered is refused, so that nobody misses changes unawares
      Given an Event "a"
      And the version of all Events is called "old"
      And these changes have been made:
        | change | object    |
        | create | Event "b" |
        | delete | Event "b" |
      And 11 minutes have passed
      When the Events are watched from version "old"
      Then the watch is refused as Expired

    @id:watches.26 @provisional
    Scenario: A watch from a version yet to come says nothing of what comes before it
      Given a watch of the Secrets with:
        | option  | value        |
        | version | 999999999999 |
      When these changes are made:
        | change | object     |
        | create | Secret "a" |
      Then the watch delivers nothing
