@needs:pods.run
Feature: Rollouts behind a Service
  While a Deployment exchanges its Pods, their Service goes on. The Deployment takes an old Pod away only when a new one
  is ready in its place, and the Endpoints follow Pod by Pod: so there is somebody to answer at every moment.

  @req:RS-10
  Rule: A default rolling update never leaves the Service without ready endpoints

    @id:rollouts.01 @core
    Scenario Outline: The Service of a Deployment of <n> always has a ready endpoint
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | <n>   |
      And the Deployment "web" has come to have:
        | field                    | value |
        | status.availableReplicas | <n>   |
      And a Service "web"
      And the Endpoints "web" list <n> ready Pods
      And a watch of the Endpoints
      When the Deployment "web" is updated:
        | field                                 | value   |
        | spec.template.metadata.labels.release | another |
      Then within 60 seconds the Deployment "web" has:
        | field                     | value |
        | status.observedGeneration | 2     |
        | status.updatedReplicas    | <n>   |
        | status.availableReplicas  | <n>   |
        | status.replicas           | <n>   |
      And within 30 seconds the Endpoints "web" list the Pods labelled "app=web,release=another"
      And the Endpoints "web" have listed a ready Pod all the time

      Examples:
        | n |
        | 1 |
        | 4 |

    @id:rollouts.02 @core
    Scenario: New Pods that do not become ready leave the old one where it is
      Given a Deployment "web" with:
        | field         | value |
        | spec.replicas | 1     |
      And the Deployment "web" has come to have:
        | field                    | value |
        | status.availableReplicas | 1     |
      And a Service "web"
      And the Endpoints "web" list 1 ready Pods
      When the Deployment "web" is updated:
        | field                             | value                                |
        | spec.template.spec.readinessGates | [{conditionType: gherkube.dev/open}] |
      Then within 60 seconds the Endpoints "web" list:
        | ready |
        | yes   |
        | no    |
      And for 30 seconds the Endpoints "web" still list:
        | ready |
        | yes   |
        | no    |
