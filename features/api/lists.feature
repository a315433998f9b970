Feature: Lists
  A list shows a collection as it was at one moment of the cluster's history: at one version. Whoever asks may say
  how old that moment may be. A large collection can be read in chunks; they are parts of the same list, whatever
  happens to the objects in the meantime.

  @req:API-15
  Rule: A list shows a collection as it was at one version

    @id:lists.01 @core
    Scenario: A list shows every write that was acknowledged before it
      Given these Secrets:
        | name | labels     |
        | a    | color=blue |
        | b    | color=blue |
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | create | Secret "c" | green                 |
        | update | Secret "a" | green                 |
        | delete | Secret "b" |                       |
      When the Secrets are listed
      Then the list holds exactly "a" and "c"
      And each object of the list has:
        | field                 | value |
        | metadata.labels.color | green |

    @id:lists.02 @core
    Scenario: An earlier version is listed exactly as it was
      Given these Secrets:
        | name | labels     |
        | a    | color=blue |
        | b    | color=blue |
      And the version of all Secrets is called "then"
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | create | Secret "c" | green                 |
        | update | Secret "a" | green                 |
        | delete | Secret "b" |                       |
      When the Secrets are listed with:
        | option        | value |
        | version       | then  |
        | version match | Exact |
      Then the list holds exactly "a" and "b"
      And each object of the list has:
        | field                 | value |
        | metadata.labels.color | blue  |
      And the answer has the version of "then"

    @id:lists.03 @core
    Scenario: A list that is not older than a version shows everything that was written up to it
      Given these Secrets:
        | name | labels     |
        | a    | color=blue |
        | b    | color=blue |
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | delete | Secret "b" |                       |
        | update | Secret "a" | green                 |
      And the version of the Secret "a" is called "latest"
      When the Secrets are listed with:
        | option        | value        |
        | version       | latest       |
        | version match | NotOlderThan |
      Then the list holds exactly "a"
      And each object of the list has:
        | field                 | value |
        | metadata.labels.color | green |

    @id:lists.04 @extended
    Scenario: A limited list of a version is exact, though it does not say so
      Given these Secrets:
        | name |
        | a    |
        | b    |
      And the version of all Secrets is called "then"
      And somebody has deleted the Secret "b"
      When the Secrets are listed with:
        | option  | value |
        | version | then  |
        | limit   | 10    |
      Then the list holds exactly "a" and "b"
      And the answer has the version of "then"

    @id:lists.05 @core
    Scenario Outline: A version that is yet to come cannot be listed with the match <match>
      Given a Secret "a"
      When the Secrets are listed with:
        | option        | value        |
        | version       | 999999999999 |
        | version match | <match>      |
      Then the request is refused as Timeout
      And the refusal has:
        | field                    | value                   |
        | details.causes[0].reason | ResourceVersionTooLarge |

      Examples:
        | match        |
        | Exact        |
        | NotOlderThan |

    @id:lists.06 @core
    Scenario Outline: The match "<match>" for the version "<version>" is refused: <why>
      When the Secrets are listed with:
        | option        | value     |
        | version       | <version> |
        | version match | <match>   |
      Then the request is refused as Invalid for:
        | field                | cause   |
        | resourceVersionMatch | <cause> |

      Examples:
        | version | match        | cause         | why                                 |
        | 0       | Exact        | forbidden     | 0 stands for any version            |
        |         | Exact        | forbidden     | there is no version to match        |
        |         | NotOlderThan | forbidden     | there is no version to be as new as |
        | 1       | Newest       | not supported | nobody knows this match             |

    @id:lists.07 @core @needs:time.skip
    Scenario: A version that is too old to be remembered cannot be listed
      Given these Events:
        | name |
        | a    |
        | b    |
      And the version of all Events is called "old"
      And somebody has deleted the Event "b"
      And 11 minutes have passed
      When the Events are listed with:
        | option        | value |
        | version       | old   |
        | version match | Exact |
      Then the request is refused as Expired

    @id:lists.08 @core
    Scenario: A collection that is not served is not found
      When the objects "gadgets" of "apps/v1" are listed
      Then the request is refused as NotFound

  @req:API-17
  Rule: A list can be read in chunks, which together are one list

    @id:lists.09 @core
    Scenario: The chunks hold all objects, each once
      Given 25 Secrets named "item-01" to "item-25"
      When the Secrets are listed in chunks of 10
      Then the list holds 25 objects, each once
      And the chunks hold "10, 10, 5" objects and are of one version

    @id:lists.10 @core
    Scenario Outline: Three objects in chunks of <limit>
      Given these Secrets:
        | name |
        | a    |
        | b    |
        | c    |
      When the Secrets are listed in chunks of <limit>
      Then the list holds exactly "a", "b" and "c"
      And the chunks hold "<sizes>" objects and are of one version

      Examples:
        | limit | sizes   |
        | 1     | 1, 1, 1 |
        | 2     | 2, 1    |
        | 3     | 3       |
        | 4     | 3       |

    @id:lists.11 @core
    Scenario: What happens between two chunks does not show
      Given these Secrets:
        | name | labels     |
        | a    | color=blue |
        | c    | color=blue |
        | e    | color=blue |
        | g    | color=blue |
        | i    | color=blue |
      And the first 2 Secrets have been listed
      And these changes have been made:
        | change | object     | metadata.labels.color |
        | create | Secret "b" | green                 |
        | create | Secret "f" | green                 |
        | update | Secret "e" | green                 |
        | update | Secret "i" | green                 |
        | delete | Secret "a" |                       |
        | delete | Secret "g" |                       |
      When the rest of the Secrets is listed
      Then the list holds exactly "a", "c", "e", "g" and "i"
      And each object of the list has:
        | field                 | value |
        | metadata.labels.color | blue  |
      And the chunks hold "2, 2, 1" objects and are of one version

    @id:lists.12 @core
    Scenario: A selector holds for every chunk
      Given these Secrets:
        | name | labels  | type              |
        | a    | app=web | example.com/token |
        | b    | app=db  | example.com/token |
        | c    | app=web | example.com/token |
        | d    | app=web | Opaque            |
        | e    | app=web | example.com/token |
        | f    | app=db  | example.com/token |
        | g    | app=web | example.com/token |
        | h    |         | example.com/token |
      When the Secrets labelled "app=web" where "type=example.com/token" are listed in chunks of 2
      Then the list holds exactly "a", "c", "e" and "g"

    @id:lists.13 @core
    Scenario: Chunks go on from one namespace to the next
      Given a Namespace "north"
      And a Namespace "south"
      And these Secrets:
        | name | namespace | labels       |
        | a    | north     | list=chunked |
        | b    | north     | list=chunked |
        | c    | north     | list=chunked |
        | a    | south     | list=chunked |
        | b    | south     | list=chunked |
      When the Secrets in all namespaces labelled "list=chunked" are listed in chunks of 2
      Then the list holds 5 objects, each once

    @id:lists.14 @extended
    Scenario: A chunk tells how many objects remain
      Given 25 Secrets named "item-01" to "item-25"
      When the Secrets are listed with:
        | option | value |
        | limit  | 10    |
      Then the answer has:
        | field                       | value     |
        | metadata.continue           | (present) |
        | metadata.remainingItemCount | 15        |

    @id:lists.15 @extended
    Scenario: How many objects remain is not told where a selector would have to be tried on them
      Given these Secrets:
        | name | labels  |
        | a    | app=web |
        | b    | app=web |
        | c    | app=web |
      When the Secrets labelled "app=web" are listed with:
        | option | value |
        | limit  | 2     |
      Then the answer has:
        | field                       | value     |
        | metadata.continue           | (present) |
        | metadata.remainingItemCount | (absent)  |

    @id:lists.16 @core
    Scenario Outline: A list cannot be continued by "<token>", which no list gave
      Given a Secret "a"
      When the Secrets are listed with:
        | option   | value   |
        | limit    | 1       |
        | continue | <token> |
      Then the request is refused as BadRequest

      Examples:
        | token    |
        | nonsense |
        | MTIz     |
        | e30      |
        | %        |

    @id:lists.17 @core @needs:time.skip
    Scenario: A list that was left for too long cannot be finished as it was
      Given these Events:
        | name |
        | a    |
        | c    |
        | e    |
      And the first 1 Events have been listed
      And somebody has deleted the Event "c"
      And 11 minutes have passed
      When the rest of the Events is listed
      Then the request is refused as Expired
      And the refusal has:
        | field             | value     |
        | metadata.continue | (present) |

    @id:lists.18 @extended @needs:time.skip
    Scenario: A list that was left for too long can be finished as things are now
      Given these Events:
        | name |
        | a    |
        | c    |
        | e    |
      And the first 1 Events have been listed
      And these changes have been made:
        | change | object    |
        | create | Event "d" |
        | delete | Event "c" |
        | delete | Event "a" |
      And 11 minutes have passed
      When the rest of the Events is listed as it is now
      Then the list holds exactly "a", "d" and "e"
