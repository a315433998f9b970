Feature: Requests
  What a Pod asks for decides where it can run. The scheduler adds up what the Pods of a node ask for, not what they
  use, and gives a Pod only to a node that has as much left. Of the nodes that have, it takes the one that is least
  filled and most evenly.

  @req:SCH-1
  Rule: A node takes a Pod if what the Pod asks for is left of what the node can give, and not if it is not

    @id:requests.01 @core
    Scenario Outline: What fits exactly fits
      Given these nodes:
        | name | cpu | memory |
        | a    | 2   | 1Gi    |
      And these Pods on nodes:
        | name | node | cpu  | memory |
        | x    | a    | 500m | 256Mi  |
      When these Pods are created:
        | name | cpu   | memory   |
        | web  | <cpu> | <memory> |
      Then within 30 seconds the Pod "web" is on the node "a"

      Examples:
        | cpu   | memory |
        | 1500m |        |
        | 1.5   | 768Mi  |
        |       | 768Mi  |

    @id:requests.02 @core
    Scenario Outline: What is a trifle too much does not
      Given these nodes:
        | name | cpu | memory |
        | a    | 2   | 1Gi    |
      And these Pods on nodes:
        | name | node | cpu  | memory |
        | x    | a    | 500m | 256Mi  |
      When these Pods are created:
        | name | cpu   | memory   |
        | web  | <cpu> | <memory> |
      Then within 30 seconds the Pod "web" fits nowhere

      Examples:
        | cpu   | memory    |
        | 1501m |           |
        |       | 805306369 |
        | 1501m | 768Mi     |

    @id:requests.03 @core
    Scenario: One node must have all of it
      Given these nodes:
        | name | cpu | memory |
        | a    | 4   | 1Gi    |
        | b    | 1   | 8Gi    |
      When these Pods are created:
        | name | cpu | memory |
        | web  | 2   | 2Gi    |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:requests.04 @core
    Scenario: A node takes no more Pods than it has room for
      Given these nodes:
        | name | pods |
        | a    | 2    |
      When these Pods are created:
        | name | labels  |
        | x    | app=web |
        | y    | app=web |
        | z    | app=web |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | a      | 2    |
        | (none) | 1    |

    @id:requests.05 @core
    Scenario Outline: What a node has beyond CPU and memory is counted, too
      Given these nodes:
        | name | example.com/slot |
        | a    | 3                |
      And these Pods on nodes:
        | name | node | spec.containers[0].resources                                      |
        | x    | a    | {requests: {example.com/slot: 2}, limits: {example.com/slot: 2}} |
      When these Pods are created:
        | name | labels  | spec.containers[0].resources                                                  |
        | web  | app=web | {requests: {example.com/slot: <slots>}, limits: {example.com/slot: <slots>}} |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | slots | node   |
        | 1     | a      |
        | 2     | (none) |

    @id:requests.06 @core
    Scenario: A limit stands for a request that is not stated
      Given these nodes:
        | name | cpu |
        | a    | 2   |
      When a Pod "web" is created with:
        | field                                  | value |
        | spec.containers[0].resources.limits.cpu | 3     |
      Then within 30 seconds the Pod "web" fits nowhere

    @id:requests.07 @core
    Scenario: Who asks for nothing finds room where all is taken
      Given these nodes:
        | name | cpu | memory |
        | a    | 2   | 1Gi    |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | a    | 2   | 1Gi    |
      When a Pod "web" is created
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:requests.08 @core
    Scenario: What a Pod asks for that is over is left again
      Given these nodes:
        | name | cpu |
        | a    | 2   |
      And these Pods on nodes:
        | name | node | cpu |
        | x    | a    | 2   |
      And somebody has changed the status of the Pod "x":
        | field        | value     |
        | status.phase | Succeeded |
      When these Pods are created:
        | name | cpu |
        | web  | 2   |
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:requests.09 @core
    Scenario: A Pod on its way out holds what it has
      Given these nodes:
        | name | cpu |
        | a    | 2   |
      And these Pods on nodes:
        | name | node | cpu | spec.terminationGracePeriodSeconds |
        | x    | a    | 2   | 600                                |
      And somebody has deleted the Pod "x"
      When these Pods are created:
        | name | cpu |
        | web  | 1   |
      Then within 30 seconds the Pod "web" fits nowhere

  @req:SCH-1
  Rule: A Pod asks for what its containers ask for together, or for an init container's peak if that is more

    @id:requests.10 @core
    Scenario Outline: Containers run together, init containers one after another
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          initContainers:
            - {name: i1, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <first>}}}
            - {name: i2, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <second>}}}
          containers:
            - {name: c1, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <main>}}}
            - {name: c2, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <other>}}}
        """
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | first | second | main | other | node   |
        | 4     | 4      | 2    | 2     | a      |
        | 0     | 4001m  | 1    | 1     | (none) |
        | 1     | 1      | 2    | 2001m | (none) |

    @id:requests.11 @extended
    Scenario Outline: An init container that goes on running counts along with those that come after it
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          initContainers:
            - name: side
              image: registry.k8s.io/pause:3.10
              restartPolicy: Always
              resources: {requests: {cpu: 1}}
            - {name: init, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <init>}}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: <main>}}}
        """
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | init  | main  | node   |
        | 3     | 3     | a      |
        | 3001m | 1     | (none) |
        | 1     | 3001m | (none) |

    @id:requests.12 @extended
    Scenario Outline: What the Pod as a whole asks for goes before what its containers do
      Given these nodes:
        | name | cpu |
        | a    | 4   |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          resources: {requests: {cpu: <pod>}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 1}}}
        """
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | <node> | 1    |

      Examples:
        | pod   | node   |
        | 4     | a      |
        | 4001m | (none) |

  @req:SCH-5
  Rule: Of the nodes that fit a Pod gets the one that is filled least and most evenly

    @id:requests.13 @core
    Scenario: Pods of equal request are spread over equal nodes
      Given these nodes:
        | name |
        | a    |
        | b    |
        | c    |
      When these Pods are created:
        | name | labels  | cpu  | memory |
        | p1   | app=web | 500m | 1Gi    |
        | p2   | app=web | 500m | 1Gi    |
        | p3   | app=web | 500m | 1Gi    |
        | p4   | app=web | 500m | 1Gi    |
        | p5   | app=web | 500m | 1Gi    |
        | p6   | app=web | 500m | 1Gi    |
      Then within 30 seconds the Pods labelled "app=web" are on nodes like this:
        | node | Pods |
        | a    | 2    |
        | b    | 2    |
        | c    | 2    |

    @id:requests.14 @core
    Scenario: A Pod goes where more is left
      Given these nodes:
        | name | cpu | memory |
        | a    | 4   | 8Gi    |
        | b    | 4   | 8Gi    |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | a    | 1   | 2Gi    |
        | y    | b    | 2   | 4Gi    |
      When these Pods are created:
        | name | cpu  | memory |
        | web  | 500m | 1Gi    |
      Then within 30 seconds the Pod "web" is on the node "a"

    @id:requests.15 @extended
    Scenario: Where as much is left a Pod goes where it makes the use more even
      Given these nodes:
        | name | cpu | memory |
        | a    | 4   | 8Gi    |
        | b    | 4   | 8Gi    |
      And these Pods on nodes:
        | name | node | cpu | memory |
        | x    | a    | 2   | 1Mi    |
        | y    | b    | 1m  | 4Gi    |
      When these Pods are created:
        | name | cpu | memory |
        | web  | 2   | 1Mi    |
      Then within 30 seconds the Pod "web" is on the node "b"

    @id:requests.16 @extended
    Scenario: A Pod goes where its image is already
      Given these nodes:
        | name | images                   |
        | a    | registry.example/other:1 |
        | b    | registry.example/web:1   |
        | c    |                          |
      When a Pod "web" is created with:
        | field                    | value                  |
        | spec.containers[0].image | registry.example/web:1 |
      Then within 30 seconds the Pod "web" is on the node "b"

  @req:SCH-6
  Rule: Pods that a controller creates are scheduled like those that a user creates

    @id:requests.17 @core
    Scenario: A Deployment's Pods get the nodes that they fit
      Given these nodes:
        | name | cpu |
        | a    | 4   |
        | b    | 4   |
      When a Deployment "web" is created with:
        """
        spec:
          replicas: 3
          template:
            spec:
              containers:
                - {name: main, image: registry.k8s.io/pause:3.10, resources: {requests: {cpu: 3}}}
        """
      Then within 60 seconds the Pods labelled "app=web" are on nodes like this:
        | node   | Pods |
        | a      | 1    |
        | b      | 1    |
        | (none) | 1    |
