Feature: Priorities of Pods
  A Pod's priority is a number that its PriorityClass says; who makes the Pod names the class and not the number. Pods
  that matter more are scheduled first, and may displace others.

  @req:PRI-1
  Rule: A Pod has the priority of the class that it names

    @id:priorities.01 @core
    Scenario: A Pod has the number and the policy of its class
      Given a PriorityClass "urgent" with:
        | field            | value |
        | value            | 1000  |
        | preemptionPolicy | Never |
      When a Pod "web" is created with:
        | field                  | value  |
        | spec.priorityClassName | urgent |
      Then the answer has:
        | field                  | value  |
        | spec.priority          | 1000   |
        | spec.preemptionPolicy  | Never  |
        | spec.priorityClassName | urgent |

    @id:priorities.02 @core
    Scenario: A class may put Pods behind all others
      Given a PriorityClass "idle" with:
        | field | value |
        | value | -10   |
      When a Pod "web" is created with:
        | field                  | value |
        | spec.priorityClassName | idle  |
      Then the answer has:
        | field                 | value                |
        | spec.priority         | -10                  |
        | spec.preemptionPolicy | PreemptLowerPriority |

    @id:priorities.03 @core
    Scenario: A Pod that names no class has the priority 0
      When a Pod "web" is created
      Then the answer has:
        | field                  | value    |
        | spec.priority          | 0        |
        | spec.priorityClassName | (absent) |

    @id:priorities.04 @core
    Scenario: A Pod cannot have a class that is not there
      When a Pod "web" is created with:
        | field                  | value  |
        | spec.priorityClassName | nobody |
      Then the request is refused as Forbidden
      And the refusal mentions "nobody"
      And there is no Pod "web"

    @id:priorities.05 @core
    Scenario Outline: A Pod cannot give itself <what>
      Given a PriorityClass "urgent" with:
        | field | value |
        | value | 1000  |
      When a Pod "web" is created with:
        | field                  | value   |
        | spec.priorityClassName | <class> |
        | <field>                | <value> |
      Then the request is refused as Forbidden

      Examples:
        | what                              | class    | field                 | value |
        | another number than its class has | urgent   | spec.priority         | 2000  |
        | a number without a class          | (absent) | spec.priority         | 5     |
        | another policy than its class has | urgent   | spec.preemptionPolicy | Never |

    @id:priorities.06 @core
    Scenario: The classes of the system are there
      When a Pod "web" is created with:
        | field                  | value                   |
        | spec.priorityClassName | system-cluster-critical |
      Then the answer has:
        | field         | value      |
        | spec.priority | 2000000000 |

    @id:priorities.07 @core
    Scenario: A Pod keeps its priority when its class goes
      Given a PriorityClass "urgent" with:
        | field | value |
        | value | 1000  |
      And a Pod "web" with:
        | field                  | value  |
        | spec.priorityClassName | urgent |
      And somebody has deleted the PriorityClass "urgent"
      When the Pod "web" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then the answer has:
        | field         | value |
        | spec.priority | 1000  |

  @req:PRI-2
  Rule: What a class says holds for good, and the highest numbers are the system's

    @id:priorities.08 @core
    Scenario: The number of a class cannot be changed
      Given a PriorityClass "urgent" with:
        | field | value |
        | value | 1000  |
      When the PriorityClass "urgent" is updated:
        | field | value |
        | value | 1001  |
      Then the request is refused as Invalid for:
        | field | cause     |
        | value | forbidden |

    @id:priorities.09 @core
    Scenario Outline: A class of the number <value> is <verdict>
      When a PriorityClass "high" is created with:
        | field | value   |
        | value | <value> |
      Then the request is <verdict>

      Examples:
        | value      | verdict            |
        | 1000000000 | accepted           |
        | 1000000001 | refused as Invalid |

    @id:priorities.10 @core
    Scenario: The names that begin with "system-" are the system's
      When a PriorityClass "system-mine" is created with:
        | field | value |
        | value | 10    |
      Then the request is refused as Invalid for:
        | field         | cause     |
        | metadata.name | forbidden |
