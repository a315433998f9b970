Feature: Identity
  An API server acts for whoever asks, so it must know who that is. Credentials that are not good, or none at all,
  change nothing and show nothing. Whoever is known can learn what they are known as, and what they may do.

  @req:API-24
  Rule: Without good credentials nothing is changed and nothing is shown

    @id:identity.01 @core
    Scenario Outline: A request with <credentials> is refused
      Given the next request carries the unknown token "<token>"
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized
      And there is no ConfigMap "settings"

      Examples:
        | credentials                     | token                                                                                   |
        | a token that nobody has         | nobody                                                                                  |
        | a token that nobody has signed  | eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06YWRtaW4iLCJleHAiOjQxMDI0NDQ4MDB9.               |
        | a token that another has signed | eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSIsInN1YiI6ImFkbWluIn0.9cF6ZJTZbTQ4LMg2JyhGQy6mv1WwtVzH |

    @id:identity.02 @core
    Scenario: A request without credentials is refused
      Given the next request carries no credentials
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized or Forbidden
      And there is no ConfigMap "settings"

    @id:identity.03 @core
    Scenario: Nothing is deleted for somebody unknown
      Given a ConfigMap "settings"
      And the next request carries the unknown token "nobody"
      When the ConfigMap "settings" is deleted
      Then the request is refused as Unauthorized
      And there is a ConfigMap "settings"

    @id:identity.04 @core
    Scenario: Nothing is shown to somebody unknown
      Given a ConfigMap "settings" with:
        | field      | value |
        | data.color | blue  |
      And the next request carries no credentials
      When the ConfigMap "settings" is read
      Then the request is refused as Unauthorized or Forbidden

    @id:identity.05 @core
    Scenario: Somebody unknown cannot even learn what is there and what is not
      Given the next request carries no credentials
      When the ConfigMap "settings" is read
      Then the request is refused as Unauthorized or Forbidden

    @id:identity.06 @core
    Scenario: Nothing is watched by somebody unknown
      Given a ConfigMap "settings"
      And the next request carries the unknown token "nobody"
      When the ConfigMaps are watched
      Then the watch is refused as Unauthorized

  @req:API-27
  Rule: Whoever asks can learn who they are, what they may do, and whom a token stands for

    @id:identity.07 @core
    Scenario: An account learns its name
      Given a ServiceAccount "robot"
      And the next request is made by the ServiceAccount "robot"
      When this SelfSubjectReview is created:
        """
        {}
        """
      Then the answer has:
        | field                    | value                            |
        | kind                     | SelfSubjectReview                |
        | status.userInfo.username | system:serviceaccount:home:robot |
        | status.userInfo.uid      | (present)                        |
        | status.userInfo.groups   | [system:serviceaccounts, "system:serviceaccounts:home", system:authenticated] |

    @id:identity.08 @core
    Scenario: The review of an account's token tells the account
      Given a ServiceAccount "robot"
      When the token of the ServiceAccount "robot" is reviewed
      Then the answer has:
        | field                | value                            |
        | status.authenticated | true                             |
        | status.user.username | system:serviceaccount:home:robot |
        | status.error         | (absent)                         |

    @id:identity.09 @core
    Scenario: The review of an unknown token tells that it stands for nobody
      When this TokenReview is created:
        """
        {spec: {token: nobody}}
        """
      Then the request is accepted
      And the answer has:
        | field                | value     |
        | status.authenticated | (absent)  |
        | status.user.username | (absent)  |
        | status.error         | (present) |

    @id:identity.10 @core
    Scenario: The administrator may do everything
      When this SelfSubjectAccessReview is created:
        """
        {spec: {resourceAttributes: {verb: create, group: apps, resource: deployments}}}
        """
      Then the answer has:
        | field          | value |
        | status.allowed | true  |

    @id:identity.11 @core
    Scenario: Somebody unknown may change nothing
      When this SubjectAccessReview is created:
        """
        {spec: {user: "system:anonymous", groups: ["system:unauthenticated"],
                resourceAttributes: {verb: create, resource: configmaps}}}
        """
      Then the answer has:
        | field          | value |
        | status.allowed | false |

    @id:identity.12 @core
    Scenario: A review asks for something
      When this SelfSubjectAccessReview is created:
        """
        {spec: {}}
        """
      Then the request is refused as Invalid for:
        | field                   | cause   |
        | spec.resourceAttributes | invalid |
