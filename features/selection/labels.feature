Feature: Label selectors
  Labels are what objects are chosen by. A selector is a list of requirements, all of which an object's labels must
  meet: that a label has a value or one of several, that it has none of them, that it is there or is not.

  @req:SEL-4
  Rule: A selector selects the objects whose labels meet all of its requirements

    Background:
      Given these Secrets:
        | name     | labels             |
        | web-blue | app=web,color=blue |
        | web-red  | app=web,color=red  |
        | db       | app=db,color=      |
        | bare     |                    |

    @id:labels.01 @core
    Scenario Outline: Listed by "<selector>": <meaning>
      When the Secrets labelled "<selector>" are listed
      Then the list holds exactly <names>

      Examples:
        | selector               | names                            | meaning                                       |
        | app=web                | "web-blue" and "web-red"         | the label has the value                       |
        | app==web               | "web-blue" and "web-red"         | the same, written twice                       |
        | app!=web               | "db" and "bare"                  | another value, or no such label               |
        | app in (web, db)       | "web-blue", "web-red" and "db"   | one of the values                             |
        | app notin (web)        | "db" and "bare"                  | none of the values, or no such label          |
        | app notin (web, db)    | "bare"                           | none of the values, or no such label          |
        | color                  | "web-blue", "web-red" and "db"   | the label is there, empty or not              |
        | !color                 | "bare"                           | the label is not there                        |
        | color=                 | "db"                             | the label is there and empty                  |
        | color!=                | "web-blue", "web-red" and "bare" | not empty, or not there                       |
        | color in (, red)       | "web-red" and "db"               | empty, or red                                 |
        | app=web,color=red      | "web-red"                        | both requirements                             |
        | app=web,color!=red     | "web-blue"                       | both requirements                             |
        | app,color notin (blue) | "web-red" and "db"               | both requirements                             |
        | app!=web,!color        | "bare"                           | both requirements                             |
        |  app = web , color     | "web-blue" and "web-red"         | spaces around words mean nothing              |

    @id:labels.02 @core
    Scenario Outline: Nothing is selected by "<selector>": <why>
      When the Secrets labelled "<selector>" are listed
      Then the list is empty

      Examples:
        | selector       | why                              |
        | app=cache      | no label has this value          |
        | App=web        | capitals count in a label's key  |
        | app=Web        | capitals count in its value      |
        | app=web,app=db | no label has two values          |
        | app=we         | half a value is another value    |
        | app,!app       | no label is there and is not     |

    @id:labels.03 @core
    Scenario Outline: Deleted by "<selector>"
      When all Secrets labelled "<selector>" are deleted
      Then the request is accepted
      And the only Secrets are <left>

      Examples:
        | selector           | left                           |
        | app=web            | "db" and "bare"                |
        | app!=web           | "web-blue" and "web-red"       |
        | app in (db)        | "web-blue", "web-red" and "bare" |
        | app notin (web)    | "web-blue" and "web-red"       |
        | color              | "bare"                         |
        | !color             | "web-blue", "web-red" and "db" |
        | app=web,color!=red | "web-red", "db" and "bare"     |

  @req:SEL-4
  Rule: A watch by a selector tells of the objects that a list by it would hold

    @id:labels.04 @core
    Scenario Outline: Watched by "<selector>"
      Given a watch of the Secrets labelled "<selector>"
      When these changes are made:
        | change | object            | metadata.labels         |
        | create | Secret "web-blue" | {app: web, color: blue} |
        | create | Secret "web-red"  | {app: web, color: red}  |
        | create | Secret "db"       | {app: db, color: ""}    |
        | create | Secret "bare"     |                         |
      Then the watch adds exactly <names>

      Examples:
        | selector           | names                            |
        | app=web            | "web-blue" and "web-red"         |
        | app!=web           | "db" and "bare"                  |
        | app in (web, db)   | "web-blue", "web-red" and "db"   |
        | app notin (web)    | "db" and "bare"                  |
        | color              | "web-blue", "web-red" and "db"   |
        | !color             | "bare"                           |
        | color=             | "db"                             |
        | app=web,color!=red | "web-blue"                       |

    @id:labels.05 @core
    Scenario: What is there is told by the selector, too
      Given these Secrets:
        | name | labels    |
        | web  | app=web   |
        | db   | app=db    |
        | bare |           |
      When the Secrets labelled "app notin (db)" are watched
      Then the watch adds exactly "web" and "bare"

  @req:SEL-6
  Rule: An object that comes to match enters a selector's watch as added, one that stops matching leaves it as deleted

    @id:labels.06 @core
    Scenario: An object enters and leaves with its label
      Given a watch of the Secrets labelled "app=web"
      When these changes are made:
        | change | object     | metadata.labels.app | metadata.annotations.turn |
        | create | Secret "a" | db                  | first                     |
        | update | Secret "a" | web                 | second                    |
        | update | Secret "a" | web                 | third                     |
        | update | Secret "a" | db                  | fourth                    |
        | update | Secret "a" | db                  | fifth                     |
        | update | Secret "a" | web                 | sixth                     |
        | delete | Secret "a" |                     |                           |
      Then the watch delivers:
        | event    | name |
        | added    | a    |
        | modified | a    |
        | deleted  | a    |
        | added    | a    |
        | deleted  | a    |
      And each event has a newer version than the one before

    @id:labels.07 @core
    Scenario: An object that loses the label enters the watch of those that lack it
      Given a Secret "a" with:
        | field               | value |
        | metadata.labels.app | web   |
      And a watch of the Secrets labelled "app!=web"
      When these changes are made:
        | change | object     | metadata.labels |
        | update | Secret "a" | {}              |
        | update | Secret "a" | {app: web}      |
        | delete | Secret "a" |                 |
      Then the watch delivers:
        | event   | name |
        | added   | a    |
        | deleted | a    |

    @id:labels.08 @core
    Scenario: A watch resumed after an object has left does not tell it again
      Given a Secret "a" with:
        | field               | value |
        | metadata.labels.app | web   |
      And a watch of the Secrets labelled "app=web"
      And these changes have been made:
        | change | object     | metadata.labels.app |
        | create | Secret "b" | web                 |
        | update | Secret "a" | db                  |
      And the watch has broken off
      And these changes have been made:
        | change | object     | metadata.labels.app |
        | update | Secret "a" | web                 |
      When the watch is resumed after the last event
      Then the watch delivers:
        | event   | name |
        | added   | b    |
        | deleted | a    |
        | added   | a    |

    @id:labels.09 @core
    Scenario: An object whose deletion is held up leaves when its label goes
      Given a Secret "a" with:
        | field               | value              |
        | metadata.labels.app | web                |
        | metadata.finalizers | [example.com/hold] |
      And a watch of the Secrets labelled "app=web"
      When these changes are made:
        | change | object     | metadata.labels | metadata.finalizers |
        | delete | Secret "a" |                 |                     |
        | update | Secret "a" | {}              |                     |
        | update | Secret "a" |                 | []                  |
      Then the watch delivers:
        | event    | name |
        | modified | a    |
        | deleted  | a    |

  @req:SEL-4
  Rule: A selector that makes no sense is refused, and selects neither nothing nor everything

    @id:labels.10 @core
    Scenario Outline: The selector "<selector>" is refused: <why>
      Given a Secret "a"
      When the Secrets labelled "<selector>" are listed
      Then the request is refused as BadRequest

      Examples:
        | selector                | why                                     |
        | app in web              | values of a set stand in parentheses    |
        | app in (web             | the set does not end                    |
        | app within (web)        | there is no such relation               |
        | app=web,                | nothing follows the comma               |
        | app=web,,color=red      | nothing stands between the commas       |
        | app=web color=red       | there is no comma                       |
        | app=web=db              | there is one value                      |
        | =web                    | there is no key                         |
        | !app=web                | absent, it can have no value            |
        | -app=web                | a key does not begin with a hyphen      |
        | a/b/c=web               | a key has one prefix                    |
        | app=-web                | a value does not begin with a hyphen    |
        | app in (web, d*b)       | a value has no asterisk                 |

    @id:labels.11 @core
    Scenario: A deletion by a selector that makes no sense deletes nothing
      Given these Secrets:
        | name | labels  |
        | a    | app=web |
        | b    |         |
      When all Secrets labelled "app in web" are deleted
      Then the request is refused as BadRequest
      And the only Secrets are "a" and "b"

    @id:labels.12 @core
    Scenario: A watch by a selector that makes no sense does not begin
      Given a Secret "a"
      When the Secrets labelled "app in web" are watched
      Then the watch is refused as BadRequest
