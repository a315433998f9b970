Feature: Tokens
  A token proves to the API server, and to whoever asks it, which ServiceAccount it stands for. The older kind lies in a
  Secret and ends with it; the newer one is asked for, and is good for certain audiences, for some time, and for as long
  as what it is bound to is there.

  @req:TOK-1
  Rule: A service-account-token Secret is filled with a token of its account

    @id:tokens.01 @core
    Scenario: A Secret that names an account is filled
      Given a ServiceAccount "robot"
      When this Secret is created:
        """
        metadata: {name: robot-token, annotations: {kubernetes.io/service-account.name: robot}}
        type: kubernetes.io/service-account-token
        """
      Then within 30 seconds the Secret "robot-token" has:
        | field                                                        | value     |
        | data.token                                                   | (present) |
        | data.namespace                                               | (present) |
        | data["ca.crt"]                                               | (present) |
        | metadata.annotations["kubernetes.io/service-account.uid"]    | (present) |

    @id:tokens.02 @core
    Scenario: The token of a Secret authenticates as its account
      Given a ServiceAccount "robot"
      And a Secret "robot-token" with a token of the ServiceAccount "robot"
      And the token of the Secret "robot-token" is called "token"
      And the next request is made with the token "token"
      When this SelfSubjectReview is created:
        """
        {}
        """
      Then the answer has:
        | field                    | value                            |
        | status.userInfo.username | system:serviceaccount:home:robot |

    @id:tokens.03 @core
    Scenario: A token that was taken out of its Secret is put in again
      Given a ServiceAccount "robot"
      And a Secret "robot-token" with a token of the ServiceAccount "robot"
      When the Secret "robot-token" is updated:
        | field      | value    |
        | data.token | (absent) |
      Then within 30 seconds the Secret "robot-token" has:
        | field      | value     |
        | data.token | (present) |

    @id:tokens.04 @core
    Scenario: A Secret for a token must say whose
      When this Secret is created:
        """
        metadata: {name: robot-token}
        type: kubernetes.io/service-account-token
        """
      Then the request is refused as Invalid for:
        | field                                                     | cause    |
        | metadata.annotations[kubernetes.io/service-account.name] | required |

    @id:tokens.05 @core
    Scenario: Any other Secret is left as it is
      Given a ServiceAccount "robot"
      When this Secret is created:
        """
        metadata: {name: robot-token, annotations: {kubernetes.io/service-account.name: robot}}
        type: Opaque
        """
      Then for 5 seconds the Secret "robot-token" still has:
        | field      | value    |
        | data.token | (absent) |

  @req:TOK-1
  Rule: A token's Secret goes with its account, and the token with its Secret

    @id:tokens.06 @core
    Scenario: The Secret of an account that is deleted goes
      Given a ServiceAccount "robot"
      And a Secret "robot-token" with a token of the ServiceAccount "robot"
      When the ServiceAccount "robot" is deleted
      Then within 30 seconds there is no Secret "robot-token"

    @id:tokens.07 @core
    Scenario: A Secret for an account that is not there goes
      When this Secret is created:
        """
        metadata: {name: robot-token, annotations: {kubernetes.io/service-account.name: nobody}}
        type: kubernetes.io/service-account-token
        """
      Then within 30 seconds there is no Secret "robot-token"

    @id:tokens.08 @core
    Scenario: A new account of the same name does not get the Secret of the old one
      Given a ServiceAccount "robot"
      And a Secret "robot-token" with a token of the ServiceAccount "robot"
      And somebody has deleted the ServiceAccount "robot"
      When a ServiceAccount "robot" is created
      Then within 30 seconds there is no Secret "robot-token"

    @id:tokens.09 @core
    Scenario: The token of a Secret that is gone is good for nothing
      Given a ServiceAccount "robot"
      And a Secret "robot-token" with a token of the ServiceAccount "robot"
      And the token of the Secret "robot-token" is called "token"
      And somebody has deleted the Secret "robot-token"
      And the next request is made with the token "token"
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized

  @req:TOK-2
  Rule: A requested token has the audience asked for

    @id:tokens.10 @core
    Scenario: A token for nobody in particular is one for the API server
      Given a ServiceAccount "robot"
      When a token of the ServiceAccount "robot" is requested with:
        | field                  | value |
        | spec.expirationSeconds | 900   |
      Then the answer has:
        | field                      | value     |
        | spec.audiences[0]          | (present) |
        | status.token               | (present) |
        | status.expirationTimestamp | (present) |

    @id:tokens.11 @core
    Scenario: A token is good for its audience
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot" for the audience "vault", called "token"
      When the token "token" is reviewed for the audience "vault"
      Then the answer has:
        | field                | value                            |
        | status.authenticated | true                             |
        | status.user.username | system:serviceaccount:home:robot |
        | status.audiences     | [vault]                          |

    @id:tokens.12 @core
    Scenario: A token is good for no other audience
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot" for the audience "vault", called "token"
      When the token "token" is reviewed for the audience "bank"
      Then the answer has:
        | field                | value     |
        | status.authenticated | (absent)  |
        | status.user.username | (absent)  |
        | status.error         | (present) |

    @id:tokens.13 @core
    Scenario: A token for another audience opens nothing at the API server
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot" for the audience "vault", called "token"
      And the next request is made with the token "token"
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized

  @req:TOK-2
  Rule: A requested token has the lifetime asked for

    @id:tokens.14 @core @needs:time.skip
    Scenario: A token is good for nothing after its time
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot" for 600 seconds, called "token"
      And 620 seconds have passed
      And the next request is made with the token "token"
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized

    @id:tokens.15 @core @needs:time.skip
    Scenario: A token is good until its time is over
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot" for 1200 seconds, called "token"
      And 1000 seconds have passed
      When the token "token" is reviewed
      Then the answer has:
        | field                | value |
        | status.authenticated | true  |

    @id:tokens.16 @core
    Scenario: The shortest token that can be had is one for ten minutes
      Given a ServiceAccount "robot"
      When a token of the ServiceAccount "robot" is requested with:
        | field                  | value |
        | spec.expirationSeconds | 600   |
      Then the answer has:
        | field                  | value |
        | spec.expirationSeconds | 600   |

  @req:TOK-2
  Rule: A requested token ends with what it is bound to, and with its account

    @id:tokens.17 @core
    Scenario: A token that is bound to a Pod tells the Pod
      Given a ServiceAccount "robot"
      And a Pod "web" with:
        | field                   | value |
        | spec.serviceAccountName | robot |
      And a token of the ServiceAccount "robot" that is bound to the Pod "web", called "token"
      When the token "token" is reviewed
      Then the answer has:
        | field                                                       | value |
        | status.authenticated                                        | true  |
        | status.user.extra["authentication.kubernetes.io/pod-name"]  | [web] |

    @id:tokens.18 @core
    Scenario: A token that is bound to a Pod ends with it
      Given a ServiceAccount "robot"
      And a Pod "web" with:
        | field                   | value |
        | spec.serviceAccountName | robot |
      And a token of the ServiceAccount "robot" that is bound to the Pod "web", called "token"
      And somebody has deleted the Pod "web"
      And the Pod "web" has gone
      And the next request is made with the token "token"
      When a ConfigMap "settings" is created
      Then the request is refused as Unauthorized

    @id:tokens.19 @core
    Scenario: A token that is bound to a Secret ends with it
      Given a ServiceAccount "robot"
      And a Secret "session"
      And a token of the ServiceAccount "robot" that is bound to the Secret "session", called "token"
      And somebody has deleted the Secret "session"
      And a Secret "session"
      When the token "token" is reviewed
      Then the answer has:
        | field                | value    |
        | status.authenticated | (absent) |

    @id:tokens.20 @core
    Scenario: A token ends with its account, and does not come back with it
      Given a ServiceAccount "robot"
      And a token of the ServiceAccount "robot", called "token"
      And somebody has deleted the ServiceAccount "robot"
      And a ServiceAccount "robot"
      When the token "token" is reviewed
      Then the answer has:
        | field                | value    |
        | status.authenticated | (absent) |

    @id:tokens.21 @core
    Scenario: A token cannot be bound to a Pod of another account
      Given a ServiceAccount "robot"
      And a ServiceAccount "other"
      And a Pod "web" with:
        | field                   | value |
        | spec.serviceAccountName | other |
      When a token of the ServiceAccount "robot" is requested with:
        | field                       | value |
        | spec.boundObjectRef.kind    | Pod   |
        | spec.boundObjectRef.apiVersion | v1 |
        | spec.boundObjectRef.name    | web   |
      Then the request is refused as BadRequest

    @id:tokens.22 @core
    Scenario: A token cannot be bound to just anything
      Given a ServiceAccount "robot"
      And a ConfigMap "settings"
      When a token of the ServiceAccount "robot" is requested with:
        | field                          | value     |
        | spec.boundObjectRef.kind       | ConfigMap |
        | spec.boundObjectRef.apiVersion | v1        |
        | spec.boundObjectRef.name       | settings  |
      Then the request is refused as BadRequest
