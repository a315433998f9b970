Feature: Classes of container runtimes
  A RuntimeClass says what runs a Pod's containers, what that costs beyond them, and which nodes have it. Who makes the
  Pod names the class and not the cost.

  @req:RTC-1
  Rule: A Pod has of its class what the class says

    @id:runtimes.01 @core
    Scenario: A Pod has the overhead of its class
      Given a RuntimeClass "sandboxed" with:
        | field             | value                     |
        | handler           | sandbox                   |
        | overhead.podFixed | {cpu: 250m, memory: 64Mi} |
      When a Pod "web" is created with:
        | field                 | value     |
        | spec.runtimeClassName | sandboxed |
      Then the answer has:
        | field         | value                     |
        | spec.overhead | {cpu: 250m, memory: 64Mi} |

    @id:runtimes.02 @core
    Scenario: A Pod goes to nodes of its class, and tolerates their taints
      Given a RuntimeClass "sandboxed" with:
        | field                   | value                                                |
        | handler                 | sandbox                                              |
        | scheduling.nodeSelector | {example.com/sandbox: "yes"}                         |
        | scheduling.tolerations  | [{key: example.com/sandbox, operator: Exists}]       |
      When a Pod "web" is created with:
        | field                 | value                                            |
        | spec.runtimeClassName | sandboxed                                        |
        | spec.nodeSelector     | {disk: ssd}                                      |
        | spec.tolerations      | [{key: example.com/night, operator: Exists}]     |
      Then the answer has:
        | field                                              | value                                      |
        | spec.nodeSelector                                  | {disk: ssd, example.com/sandbox: "yes"}    |
        | spec.tolerations[key=example.com/sandbox].operator | Exists                                     |
        | spec.tolerations[key=example.com/night].operator   | Exists                                     |

    @id:runtimes.03 @core
    Scenario: A class that says no more than its name changes nothing
      Given a RuntimeClass "plain" with:
        | field   | value   |
        | handler | sandbox |
      When a Pod "web" is created with:
        | field                 | value |
        | spec.runtimeClassName | plain |
      Then the answer has:
        | field             | value    |
        | spec.overhead     | (absent) |
        | spec.nodeSelector | (absent) |

  @req:RTC-1
  Rule: A Pod that contradicts its class is refused

    @id:runtimes.04 @core
    Scenario: A Pod of a class that does not exist is refused
      When a Pod "web" is created with:
        | field                 | value   |
        | spec.runtimeClassName | nowhere |
      Then the request is refused as Forbidden
      And the refusal mentions "nowhere"
      And there is no Pod "web"

    @id:runtimes.05 @core
    Scenario: A Pod that says another overhead than its class is refused
      Given a RuntimeClass "sandboxed" with:
        | field             | value        |
        | handler           | sandbox      |
        | overhead.podFixed | {cpu: 250m}  |
      When a Pod "web" is created with:
        | field                 | value       |
        | spec.runtimeClassName | sandboxed   |
        | spec.overhead         | {cpu: 100m} |
      Then the request is refused as Forbidden
      And there is no Pod "web"

    @id:runtimes.06 @core
    Scenario: A Pod without a class has no overhead
      When a Pod "web" is created with:
        | field         | value       |
        | spec.overhead | {cpu: 100m} |
      Then the request is refused as Forbidden
      And there is no Pod "web"

    @id:runtimes.07 @core
    Scenario: A Pod that wants other nodes than its class is refused
      Given a RuntimeClass "sandboxed" with:
        | field                   | value                        |
        | handler                 | sandbox                      |
        | scheduling.nodeSelector | {example.com/sandbox: "yes"} |
      When a Pod "web" is created with:
        | field                 | value                       |
        | spec.runtimeClassName | sandboxed                   |
        | spec.nodeSelector     | {example.com/sandbox: "no"} |
      Then the request is refused as Forbidden
      And there is no Pod "web"
