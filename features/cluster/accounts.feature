Feature: Service accounts
  What runs in a Pod speaks to the API server as a ServiceAccount of its namespace. Every namespace has one for those
  that name none, and every Pod that wants it finds a token of its account, and the certificate to trust, in a file.

  @req:SA-1
  Rule: Every active namespace has a ServiceAccount named default

    @id:accounts.01 @core
    Scenario: A new namespace has its default account
      When a Namespace "shop" is created
      Then within 30 seconds there is a ServiceAccount "default" in namespace "shop"

    @id:accounts.02 @core
    Scenario: A default account that is deleted comes back as another one
      Given the ServiceAccount "default" has come to have:
        | field         | value   |
        | metadata.name | default |
      And the uid of the ServiceAccount "default" is called "first"
      When the ServiceAccount "default" is deleted
      Then within 30 seconds there is a ServiceAccount "default"
      And the ServiceAccount "default" no longer has the uid "first"

    @id:accounts.03 @core
    Scenario: An account of another name does not come back
      Given a ServiceAccount "robot"
      When the ServiceAccount "robot" is deleted
      Then for 10 seconds there is no ServiceAccount "robot"

    @id:accounts.04 @core
    Scenario: A default account that somebody has changed is left as it is
      Given the ServiceAccount "default" has come to have:
        | field         | value   |
        | metadata.name | default |
      When the ServiceAccount "default" is updated:
        | field                        | value |
        | automountServiceAccountToken | false |
      Then for 10 seconds the ServiceAccount "default" still has:
        | field                        | value |
        | automountServiceAccountToken | false |

    @id:accounts.05 @core
    Scenario: A namespace on its way out gets none any more
      Given a Namespace "shop"
      And a ConfigMap "held" in namespace "shop" with:
        | field               | value              |
        | metadata.finalizers | [example.com/hold] |
      And the ServiceAccount "default" in namespace "shop" has come to have:
        | field         | value   |
        | metadata.name | default |
      When the Namespace "shop" is deleted
      Then within 60 seconds there is no ServiceAccount "default" in namespace "shop"
      And for 10 seconds there is no ServiceAccount "default" in namespace "shop"

    @id:accounts.06 @core
    Scenario: An account has no Secret that nobody has asked for
      When a ServiceAccount "robot" is created
      Then for 5 seconds there are no Secrets
      And the ServiceAccount "robot" has:
        | field   | value    |
        | secrets | (absent) |

  @req:SA-2
  Rule: A Pod that names no ServiceAccount uses default

    @id:accounts.07 @core
    Scenario: A Pod that names no account has the default one
      Given the ServiceAccount "default" has come to have:
        | field         | value   |
        | metadata.name | default |
      When a Pod "web" is created
      Then the answer has:
        | field                   | value   |
        | spec.serviceAccountName | default |
        | spec.serviceAccount     | default |

    @id:accounts.08 @core
    Scenario: A Pod has the account that it names
      Given a ServiceAccount "robot"
      When a Pod "web" is created with:
        | field                   | value |
        | spec.serviceAccountName | robot |
      Then the answer has:
        | field                   | value |
        | spec.serviceAccountName | robot |

    @id:accounts.09 @core
    Scenario: A Pod cannot have an account that is not there
      When a Pod "web" is created with:
        | field                   | value  |
        | spec.serviceAccountName | nobody |
      Then the request is refused as Forbidden
      And the refusal mentions "nobody"
      And there is no Pod "web"

    @id:accounts.10 @core
    Scenario: A Pod cannot have an account of another namespace
      Given a Namespace "shop"
      And a ServiceAccount "robot" in namespace "shop"
      When a Pod "web" is created with:
        | field                   | value |
        | spec.serviceAccountName | robot |
      Then the request is refused as Forbidden

  @req:SA-3
  Rule: A Pod finds the token of its account in its containers, unless that is not wanted

    @id:accounts.11 @core
    Scenario: Every container has the token, the certificate and the namespace in a folder
      Given a ServiceAccount "robot"
      When a Pod "web" is created with:
        """
        spec:
          serviceAccountName: robot
          initContainers: [{name: first, image: registry.k8s.io/pause}]
        """
      Then the answer has:
        | field                                                                     | value                                         |
        | spec.containers[0].volumeMounts[0].mountPath                              | /var/run/secrets/kubernetes.io/serviceaccount |
        | spec.containers[0].volumeMounts[0].readOnly                               | true                                          |
        | spec.initContainers[0].volumeMounts[0].mountPath                          | /var/run/secrets/kubernetes.io/serviceaccount |
        | spec.volumes[0].projected.sources[0].serviceAccountToken.path             | token                                         |
        | spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds | 3607                                         |
        | spec.volumes[0].projected.sources[1].configMap.name                       | kube-root-ca.crt                              |

    @id:accounts.12 @core
    Scenario Outline: Whether a Pod gets the token where the account says <account> and the Pod says <pod>
      Given a ServiceAccount "robot" with:
        | field                        | value     |
        | automountServiceAccountToken | <account> |
      When a Pod "web" is created with:
        | field                             | value |
        | spec.serviceAccountName           | robot |
        | spec.automountServiceAccountToken | <pod> |
      Then the answer has:
        | field           | value    |
        | spec.volumes[0] | <volume> |

      Examples:
        | account  | pod      | volume    |
        | (absent) | false    | (absent)  |
        | false    | (absent) | (absent)  |
        | false    | true     | (present) |
        | true     | false    | (absent)  |

    @id:accounts.13 @core
    Scenario: A container that has something else at that place keeps it
      Given a ServiceAccount "robot"
      When a Pod "web" is created with:
        """
        spec:
          serviceAccountName: robot
          volumes: [{name: mine, emptyDir: {}}]
          containers:
          - name: main
            image: registry.k8s.io/pause
            volumeMounts: [{name: mine, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]
        """
      Then the answer has:
        | field                                   | value    |
        | spec.containers[0].volumeMounts[0].name | mine     |
        | spec.containers[0].volumeMounts[1]      | (absent) |
        | spec.volumes[1]                         | (absent) |

    @id:accounts.14 @core
    Scenario: A Pod that brings no credentials for images has those of its account
      Given a ServiceAccount "robot" with:
        | field            | value            |
        | imagePullSecrets | [{name: shared}] |
      When a Pod "web" is created with:
        | field                   | value |
        | spec.serviceAccountName | robot |
      Then the answer has:
        | field                 | value            |
        | spec.imagePullSecrets | [{name: shared}] |

    @id:accounts.15 @core
    Scenario: A Pod that brings its own credentials for images keeps them alone
      Given a ServiceAccount "robot" with:
        | field            | value            |
        | imagePullSecrets | [{name: shared}] |
      When a Pod "web" is created with:
        | field                   | value         |
        | spec.serviceAccountName | robot         |
        | spec.imagePullSecrets   | [{name: own}] |
      Then the answer has:
        | field                 | value         |
        | spec.imagePullSecrets | [{name: own}] |

  @req:SA-4
  Rule: Every active namespace has the certificate by which Pods know the API server

    @id:accounts.16 @core
    Scenario: A new namespace has the certificate
      When a Namespace "shop" is created
      Then within 30 seconds the ConfigMap "kube-root-ca.crt" in namespace "shop" has:
        | field          | value                                     |
        | data["ca.crt"] | /-----BEGIN CERTIFICATE-----(?s:.)*/      |

    @id:accounts.17 @core
    Scenario: A certificate that is deleted comes back
      Given the ConfigMap "kube-root-ca.crt" has come to have:
        | field          | value     |
        | data["ca.crt"] | (present) |
      When the ConfigMap "kube-root-ca.crt" is deleted
      Then within 30 seconds the ConfigMap "kube-root-ca.crt" has:
        | field          | value     |
        | data["ca.crt"] | (present) |

    @id:accounts.18 @core
    Scenario: A certificate that somebody has exchanged is put right
      Given the ConfigMap "kube-root-ca.crt" has come to have:
        | field          | value     |
        | data["ca.crt"] | (present) |
      When the ConfigMap "kube-root-ca.crt" is updated:
        | field          | value  |
        | data["ca.crt"] | forged |
        | data.other     | more   |
      Then within 30 seconds the ConfigMap "kube-root-ca.crt" has:
        | field          | value                                |
        | data["ca.crt"] | /-----BEGIN CERTIFICATE-----(?s:.)*/ |
        | data.other     | (absent)                             |
