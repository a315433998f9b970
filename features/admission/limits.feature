Feature: Limits
  A LimitRange says what one container, one Pod or one claim of its namespace may ask for at least and at most, and
  what a container gets that says nothing. It is looked at when something is created.

  @req:QUO-1 @req:QUO-9
  Rule: A LimitRange of type Container bounds what each container asks for

    @id:limits.01 @core
    Scenario Outline: A container is admitted with <resource> from <request> to <limit>
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              min: {<resource>: <min>}
              max: {<resource>: <max>}
        """
      When a Pod "web" is created with:
        | field                                            | value     |
        | spec.containers[0].resources.requests.<resource> | <request> |
        | spec.containers[0].resources.limits.<resource>   | <limit>   |
      Then the request is accepted

      Examples:
        | resource | min  | max | request | limit |
        | cpu      | 100m | "1" | 100m    | 100m  |
        | cpu      | 100m | "1" | 100m    | "1"   |
        | cpu      | 100m | "1" | 1000m   | 1000m |
        | memory   | 64Mi | 1Gi | 64Mi    | 1Gi   |
        | memory   | 64Mi | 1Gi | 1024Mi  | 1Gi   |

    @id:limits.02 @core
    Scenario Outline: A container is refused with <resource> from <request> to <limit>
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              min: {<resource>: <min>}
              max: {<resource>: <max>}
        """
      When a Pod "web" is created with:
        | field                                            | value     |
        | spec.containers[0].resources.requests.<resource> | <request> |
        | spec.containers[0].resources.limits.<resource>   | <limit>   |
      Then the request is refused as Forbidden
      And the refusal mentions "<resource>"
      And there is no Pod "web"

      Examples:
        | resource | min  | max | request | limit  |
        | cpu      | 100m | "1" | 99m     | "1"    |
        | cpu      | 100m | "1" | 100m    | 1001m  |
        | memory   | 64Mi | 1Gi | 63Mi    | 1Gi    |
        | memory   | 64Mi | 1Gi | 64Mi    | 1025Mi |

    @id:limits.03 @core
    Scenario Outline: One of several <containers> out of bounds is enough for a refusal
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        """
        spec:
          <containers>:
            - {name: small, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: "1"}}}
            - {name: large, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: 1001m}}}
        """
      Then the request is refused as Forbidden
      And there is no Pod "web"

      Examples:
        | containers     |
        | containers     |
        | initContainers |

    @id:limits.04 @core
    Scenario Outline: A limit of <limit> to a request of <request> keeps a ratio of 2
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              maxLimitRequestRatio: {<resource>: "2"}
        """
      When a Pod "web" is created with:
        | field                                            | value     |
        | spec.containers[0].resources.requests.<resource> | <request> |
        | spec.containers[0].resources.limits.<resource>   | <limit>   |
      Then the request is accepted

      Examples:
        | resource | request | limit |
        | cpu      | 500m    | 500m  |
        | cpu      | 500m    | 999m  |
        | cpu      | 500m    | "1"   |
        | memory   | 512Mi   | 1Gi   |

    @id:limits.05 @core
    Scenario Outline: A limit of <limit> to a request of <request> exceeds a ratio of 2
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              maxLimitRequestRatio: {<resource>: "2"}
        """
      When a Pod "web" is created with:
        | field                                            | value     |
        | spec.containers[0].resources.requests.<resource> | <request> |
        | spec.containers[0].resources.limits.<resource>   | <limit>   |
      Then the request is refused as Forbidden
      And the refusal mentions "<resource>"
      And there is no Pod "web"

      Examples:
        | resource | request | limit  |
        | cpu      | 500m    | 1001m  |
        | memory   | 512Mi   | 1025Mi |

    @id:limits.06 @core
    Scenario: A container that states no limit has no ratio that could be kept
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              maxLimitRequestRatio: {cpu: "2"}
        """
      When a Pod "web" is created with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | 500m  |
      Then the request is refused as Forbidden
      And there is no Pod "web"

    @id:limits.07 @core
    Scenario: What a LimitRange does not name is not bounded
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              min: {cpu: 100m}
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        | field                                        | value |
        | spec.containers[0].resources.requests.cpu    | 100m  |
        | spec.containers[0].resources.requests.memory | 8Gi   |
      Then the request is accepted

    @id:limits.08 @core
    Scenario Outline: Where there are several LimitRanges, <cpu> keeps one and breaks another
      Given a LimitRange "floor" with:
        """
        spec:
          limits:
            - type: Container
              min: {cpu: 100m}
        """
      And a LimitRange "ceiling" with:
        """
        spec:
          limits:
            - type: Container
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        | field                                     | value |
        | spec.containers[0].resources.requests.cpu | <cpu> |
        | spec.containers[0].resources.limits.cpu   | <cpu> |
      Then the request is refused as Forbidden
      And there is no Pod "web"

      Examples:
        | cpu   |
        | 99m   |
        | 1001m |

    @id:limits.09 @core
    Scenario: A LimitRange bounds nothing in another namespace
      Given a Namespace "other"
      And a LimitRange "bounds" in namespace "other" with:
        """
        spec:
          limits:
            - type: Container
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        | field                                   | value |
        | spec.containers[0].resources.limits.cpu | "2"   |
      Then the request is accepted

    @id:limits.10 @core
    Scenario: A Pod that was there before its LimitRange can still be updated
      Given a Pod "web" with:
        | field                                   | value |
        | spec.containers[0].resources.limits.cpu | "2"   |
      And a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              max: {cpu: "1"}
        """
      When the Pod "web" is updated:
        | field               | value |
        | metadata.labels.app | web   |
      Then the request is accepted
      And the Pod "web" has:
        | field                                   | value |
        | spec.containers[0].resources.limits.cpu | "2"   |

    @id:limits.26 @extended
    Scenario Outline: A Pod is resized to <cpu>, where 1 is the most: <outcome>
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Container
              max: {cpu: "1"}
        """
      And a Pod "web" with:
        | field                                     | value                         |
        | spec.schedulingGates                      | [{name: example.com/waiting}] |
        | spec.containers[0].resources.requests.cpu | 100m                          |
        | spec.containers[0].resources.limits.cpu   | 500m                          |
      When the resources of the Pod "web" are updated:
        | field                                   | value |
        | spec.containers[0].resources.limits.cpu | <cpu> |
      Then the request is <outcome>

      Examples:
        | cpu   | outcome              |
        | "1"   | accepted             |
        | 1001m | refused as Forbidden |

  @req:QUO-2
  Rule: A LimitRange of type Pod bounds what all containers of a Pod need together

    @id:limits.11 @core
    Scenario Outline: Containers with <resource> of <one> and <other> are admitted together
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              min: {<resource>: <min>}
              max: {<resource>: <max>}
        """
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - {name: a, image: registry.k8s.io/pause:3.10, resources: {limits: {<resource>: <one>}}}
            - {name: b, image: registry.k8s.io/pause:3.10, resources: {limits: {<resource>: <other>}}}
        """
      Then the request is accepted

      Examples:
        | resource | min   | max | one   | other |
        | cpu      | 200m  | "1" | 100m  | 100m  |
        | cpu      | 200m  | "1" | 500m  | 500m  |
        | memory   | 128Mi | 1Gi | 64Mi  | 64Mi  |
        | memory   | 128Mi | 1Gi | 512Mi | 512Mi |

    @id:limits.12 @core
    Scenario Outline: Containers with <resource> of <one> and <other> are refused together
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              min: {<resource>: <min>}
              max: {<resource>: <max>}
        """
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - {name: a, image: registry.k8s.io/pause:3.10, resources: {limits: {<resource>: <one>}}}
            - {name: b, image: registry.k8s.io/pause:3.10, resources: {limits: {<resource>: <other>}}}
        """
      Then the request is refused as Forbidden
      And the refusal mentions "<resource>"
      And there is no Pod "web"

      Examples:
        | resource | min   | max | one   | other |
        | cpu      | 200m  | "1" | 100m  | 99m   |
        | cpu      | 200m  | "1" | 500m  | 501m  |
        | memory   | 128Mi | 1Gi | 64Mi  | 63Mi  |
        | memory   | 128Mi | 1Gi | 512Mi | 513Mi |

    @id:limits.13 @core
    Scenario: Init containers run one after another, so each may need all that the Pod may have
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - {name: first, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: "1"}}}
            - {name: second, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: "1"}}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: 500m}}}
        """
      Then the request is accepted

    @id:limits.14 @core
    Scenario: An init container that needs more than the Pod may have is refused
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - {name: first, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: 1001m}}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: 500m}}}
        """
      Then the request is refused as Forbidden
      And there is no Pod "web"

    @id:limits.15 @extended
    Scenario: An init container that runs on beside the others is added to them
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              max: {cpu: "1"}
        """
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - name: proxy
              image: registry.k8s.io/pause:3.10
              restartPolicy: Always
              resources: {limits: {cpu: 501m}}
          containers:
            - {name: main, image: registry.k8s.io/pause:3.10, resources: {limits: {cpu: 500m}}}
        """
      Then the request is refused as Forbidden
      And there is no Pod "web"

    @id:limits.16 @core
    Scenario: The ratio of a Pod is that of its containers together
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              maxLimitRequestRatio: {cpu: "2"}
        """
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - name: eager
              image: registry.k8s.io/pause:3.10
              resources: {requests: {cpu: 100m}, limits: {cpu: 300m}}
            - name: steady
              image: registry.k8s.io/pause:3.10
              resources: {requests: {cpu: 200m}, limits: {cpu: 300m}}
        """
      Then the request is accepted

    @id:limits.17 @core
    Scenario: A Pod is refused whose containers together exceed the ratio
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: Pod
              maxLimitRequestRatio: {cpu: "2"}
        """
      When a Pod "web" is created with:
        """
        spec:
          containers:
            - name: eager
              image: registry.k8s.io/pause:3.10
              resources: {requests: {cpu: 100m}, limits: {cpu: 401m}}
            - name: steady
              image: registry.k8s.io/pause:3.10
              resources: {requests: {cpu: 200m}, limits: {cpu: 200m}}
        """
      Then the request is refused as Forbidden
      And there is no Pod "web"

  @req:QUO-19
  Rule: A LimitRange of type PersistentVolumeClaim bounds the storage that a claim asks for

    @id:limits.18 @core
    Scenario Outline: A claim of <size> is admitted
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: PersistentVolumeClaim
              min: {storage: 1Gi}
              max: {storage: 2Gi}
        """
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value  |
        | spec.resources.requests.storage | <size> |
      Then the request is accepted

      Examples:
        | size   |
        | 1Gi    |
        | 2048Mi |

    @id:limits.19 @core
    Scenario Outline: A claim of <size> is refused
      Given a LimitRange "bounds" with:
        """
        spec:
          limits:
            - type: PersistentVolumeClaim
              min: {storage: 1Gi}
              max: {storage: 2Gi}
        """
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value  |
        | spec.resources.requests.storage | <size> |
      Then the request is refused as Forbidden
      And the refusal mentions "storage"
      And there is no PersistentVolumeClaim "data"

      Examples:
        | size   |
        | 1023Mi |
        | 2049Mi |

  @req:QUO-16
  Rule: A container that does not say what it needs gets the defaults

    @id:limits.20 @core
    Scenario: A container that states nothing gets default as its limits and defaultRequest as its requests
      Given a LimitRange "defaults" with:
        """
        spec:
          limits:
            - type: Container
              default: {cpu: "1", memory: 512Mi}
              defaultRequest: {cpu: 250m, memory: 256Mi}
        """
      When a Pod "web" is created with:
        """
        spec:
          initContainers:
            - {name: first, image: registry.k8s.io/pause:3.10}
        """
      Then the answer has:
        | field                                          | value |
        | spec.containers[0].resources.limits.cpu        | "1"   |
        | spec.containers[0].resources.limits.memory     | 512Mi |
        | spec.containers[0].resources.requests.cpu      | 250m  |
        | spec.containers[0].resources.requests.memory   | 256Mi |
        | spec.initContainers[0].resources.limits.memory | 512Mi |
        | spec.initContainers[0].resources.requests.cpu  | 250m  |

    @id:limits.21 @core
    Scenario: What a container states stays as it is
      Given a LimitRange "defaults" with:
        """
        spec:
          limits:
            - type: Container
              default: {cpu: "1", memory: 512Mi}
              defaultRequest: {cpu: 250m, memory: 256Mi}
        """
      When a Pod "web" is created with:
        | field                                      | value |
        | spec.containers[0].resources.requests.cpu  | 100m  |
        | spec.containers[0].resources.limits.memory | 1Gi   |
      Then the answer has:
        | field                                        | value |
        | spec.containers[0].resources.requests.cpu    | 100m  |
        | spec.containers[0].resources.limits.cpu      | "1"   |
        | spec.containers[0].resources.limits.memory   | 1Gi   |
        | spec.containers[0].resources.requests.memory | 1Gi   |

    @id:limits.22 @core
    Scenario Outline: A LimitRange with <stated> alone has its defaults from it
      When a LimitRange "bounds" is created with:
        """
        spec:
          limits:
            - type: Container
              <stated>: {cpu: 500m}
        """
      Then the answer has:
        | field                             | value     |
        | spec.limits[0].default.cpu        | <default> |
        | spec.limits[0].defaultRequest.cpu | <request> |

      Examples:
        | stated         | default  | request |
        | max            | 500m     | 500m    |
        | default        | 500m     | 500m    |
        | min            | (absent) | 500m    |
        | defaultRequest | (absent) | 500m    |

    @id:limits.23 @core
    Scenario: A Pod gets nothing from a LimitRange of another namespace
      Given a Namespace "other"
      And a LimitRange "defaults" in namespace "other" with:
        """
        spec:
          limits:
            - type: Container
              default: {cpu: "1"}
        """
      When a Pod "web" is created
      Then the answer has:
        | field                                   | value    |
        | spec.containers[0].resources.limits.cpu | (absent) |

    @id:limits.24 @core
    Scenario Outline: A LimitRange of type Pod cannot have a <field>
      When a LimitRange "bounds" is created with:
        """
        spec:
          limits:
            - type: Pod
              <field>: {cpu: 500m}
        """
      Then the request is refused as Invalid for:
        | field                  | cause     |
        | spec.limits[0].<field> | forbidden |
      And there is no LimitRange "bounds"

      Examples:
        | field          |
        | default        |
        | defaultRequest |

  @req:QUO-20
  Rule: A LimitRange that contradicts itself is refused

    @id:limits.25 @core
    Scenario Outline: A LimitRange is refused that has <limits>
      When a LimitRange "bounds" is created with:
        | field       | value      |
        | spec.limits | [<limits>] |
      Then the request is refused as Invalid for:
        | field           | cause   |
        | spec.limits<at> | <cause> |
      And there is no LimitRange "bounds"

      Examples:
        | limits                                                                               | at                            | cause     |
        | {type: PersistentVolumeClaim, min: {storage: 2Gi}, max: {storage: 1Gi}}              | [0].min[storage]              | invalid   |
        | {type: Container, defaultRequest: {cpu: 500m}, default: {cpu: "2"}, max: {cpu: "1"}} | [0].default[cpu]              | invalid   |
        | {type: Container, defaultRequest: {cpu: "2"}, default: {cpu: "1"}}                   | [0].defaultRequest[cpu]       | invalid   |
        | {type: Container, maxLimitRequestRatio: {cpu: 500m}}                                 | [0].maxLimitRequestRatio[cpu] | invalid   |
        | {type: PersistentVolumeClaim}                                                        | [0].limits                    | required  |
        | {type: Pod, max: {cpu: "1"}}, {type: Pod, max: {memory: 1Gi}}                        | [1].type                      | duplicate |
        | {type: Cupboard, max: {cpu: "1"}}                                                    | [0].type                      | invalid   |
