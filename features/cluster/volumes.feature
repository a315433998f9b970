Feature: Claims and volumes
  A claim asks for storage: so much, of a class, to be accessed in some way. It is bound to one volume that satisfies
  it, which from then on is nobody else's; and what is in use is not taken away.

  Background:
    Given a StorageClass "manual"

  @req:VOL-1
  Rule: A claim is bound to exactly one volume that satisfies it

    @id:volumes.01 @core
    Scenario: A claim and a volume that satisfies it are bound to each other
      Given a PersistentVolume "disk" with:
        | field                 | value            |
        | spec.storageClassName | manual           |
        | spec.capacity.storage | 3Gi              |
        | spec.accessModes      | [ReadWriteOnce, ReadOnlyMany] |
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value  |
        | spec.storageClassName           | manual |
        | spec.resources.requests.storage | 2Gi    |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field                   | value                         |
        | status.phase            | Bound                         |
        | spec.volumeName         | disk                          |
        | status.capacity.storage | 3Gi                           |
        | status.accessModes      | [ReadWriteOnce, ReadOnlyMany] |
      And within 30 seconds the PersistentVolume "disk" has:
        | field                   | value                 |
        | status.phase            | Bound                 |
        | spec.claimRef.kind      | PersistentVolumeClaim |
        | spec.claimRef.namespace | home                  |
        | spec.claimRef.name      | data                  |

    @id:volumes.02 @core
    Scenario: A claim waits for a volume that satisfies it
      Given a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When a PersistentVolume "disk" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field           | value |
        | status.phase    | Bound |
        | spec.volumeName | disk  |

    @id:volumes.03 @core
    Scenario Outline: Of two volumes of <one> and <other> a claim of <size> gets that of <bound>
      Given these PersistentVolumes:
        | name  | spec.storageClassName | spec.capacity.storage |
        | one   | manual                | <one>                 |
        | other | manual                | <other>               |
      And the PersistentVolume "one" has come to have:
        | field        | value     |
        | status.phase | Available |
      And the PersistentVolume "other" has come to have:
        | field        | value     |
        | status.phase | Available |
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value  |
        | spec.storageClassName           | manual |
        | spec.resources.requests.storage | <size> |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field                   | value   |
        | status.phase            | Bound   |
        | status.capacity.storage | <bound> |

      Examples:
        | one | other | size   | bound |
        | 5Gi | 2Gi   | 1Gi    | 2Gi   |
        | 2Gi | 5Gi   | 3Gi    | 5Gi   |
        | 1Gi | 2Gi   | 1025Mi | 2Gi   |
        | 2Gi | 3Gi   | 2Gi    | 2Gi   |

    @id:volumes.04 @core
    Scenario Outline: A volume with <what> does not satisfy a claim
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
        | <field>               | <its>  |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
        | <field of claim>      | <asks> |
      Then for 20 seconds the PersistentVolumeClaim "data" still has:
        | field           | value    |
        | status.phase    | Pending  |
        | spec.volumeName | (absent) |
      And the PersistentVolume "disk" has:
        | field         | value     |
        | status.phase  | Available |
        | spec.claimRef | (absent)  |

      Examples:
        | what                   | field                 | its             | field of claim                  | asks                         |
        | too little room        | spec.capacity.storage | 1Gi             | spec.resources.requests.storage | 1025Mi                       |
        | too few ways to access | spec.accessModes      | [ReadWriteOnce] | spec.accessModes                | [ReadWriteMany]              |
        | one of the ways        | spec.accessModes      | [ReadWriteOnce] | spec.accessModes                | [ReadWriteOnce, ReadOnlyMany] |
        | a file system          | spec.volumeMode       | Filesystem      | spec.volumeMode                 | Block                        |
        | other labels           | metadata.labels       | {speed: slow}   | spec.selector                   | {matchLabels: {speed: fast}} |
        | no label               | metadata.labels       | {a: b}          | spec.selector                   | {matchExpressions: [{key: speed, operator: Exists}]} |

    @id:volumes.05 @core
    Scenario: A volume of another class is not for the claim
      Given a StorageClass "other"
      And a PersistentVolume "disk" with:
        | field                 | value |
        | spec.storageClassName | other |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then for 20 seconds the PersistentVolumeClaim "data" still has:
        | field        | value   |
        | status.phase | Pending |

    @id:volumes.06 @core
    Scenario: A claim that chooses by labels gets what it has chosen
      Given these PersistentVolumes:
        | name | labels     | spec.storageClassName | spec.capacity.storage |
        | slow | speed=slow | manual                | 1Gi                   |
        | fast | speed=fast | manual                | 5Gi                   |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value                        |
        | spec.storageClassName | manual                       |
        | spec.selector         | {matchLabels: {speed: fast}} |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field           | value |
        | status.phase    | Bound |
        | spec.volumeName | fast  |

    @id:volumes.07 @core
    Scenario: A claim that names a volume gets that one
      Given these PersistentVolumes:
        | name  | spec.storageClassName | spec.capacity.storage |
        | small | manual                | 1Gi                   |
        | large | manual                | 9Gi                   |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
        | spec.volumeName       | large  |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field                   | value |
        | status.phase            | Bound |
        | status.capacity.storage | 9Gi   |
      And the PersistentVolume "small" has:
        | field        | value     |
        | status.phase | Available |

    @id:volumes.08 @core
    Scenario: A claim that names another's volume waits
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "first" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolumeClaim "first" has come to have:
        | field        | value |
        | status.phase | Bound |
      When a PersistentVolumeClaim "second" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
        | spec.volumeName       | disk   |
      Then for 20 seconds the PersistentVolumeClaim "second" still has:
        | field        | value   |
        | status.phase | Pending |
      And the PersistentVolume "disk" has:
        | field              | value |
        | spec.claimRef.name | first |

    @id:volumes.09 @core
    Scenario: A volume that is kept for a claim is given to that claim
      Given a PersistentVolume "kept" with:
        | field                 | value                         |
        | spec.storageClassName | manual                        |
        | spec.capacity.storage | 9Gi                           |
        | spec.claimRef         | {namespace: home, name: data} |
      And a PersistentVolume "free" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then within 60 seconds the PersistentVolumeClaim "data" has:
        | field           | value |
        | status.phase    | Bound |
        | spec.volumeName | kept  |

    @id:volumes.10 @core
    Scenario: A volume that is kept for a claim is given to no other
      Given a PersistentVolume "kept" with:
        | field                 | value                         |
        | spec.storageClassName | manual                        |
        | spec.claimRef         | {namespace: home, name: data} |
      When a PersistentVolumeClaim "other" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then for 20 seconds the PersistentVolumeClaim "other" still has:
        | field        | value   |
        | status.phase | Pending |

    @id:volumes.11 @core
    Scenario: Of many claims one gets the volume
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When 10 PersistentVolumeClaims named "data-01" to "data-10" are created at once with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then within 60 seconds 1 of the PersistentVolumeClaims are bound, each to a volume of its own
      And for 20 seconds 1 of the PersistentVolumeClaims is bound

    @id:volumes.12 @core
    Scenario: As many claims as there are volumes all get one
      Given these PersistentVolumes:
        | name | spec.storageClassName |
        | a    | manual                |
        | b    | manual                |
        | c    | manual                |
      When 3 PersistentVolumeClaims named "data-1" to "data-3" are created at once with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then within 60 seconds 3 of the PersistentVolumeClaims are bound, each to a volume of its own

    @id:volumes.13 @core
    Scenario: Where a class waits for the first consumer a claim waits for a Pod
      Given a StorageClass "late" with:
        | field             | value                |
        | volumeBindingMode | WaitForFirstConsumer |
      And a PersistentVolume "disk" with:
        | field                 | value |
        | spec.storageClassName | late  |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value |
        | spec.storageClassName | late  |
      Then within 30 seconds an Event "WaitForFirstConsumer" tells of the PersistentVolumeClaim "data"
      And for 20 seconds the PersistentVolumeClaim "data" still has:
        | field        | value   |
        | status.phase | Pending |

    @id:volumes.14 @core
    Scenario: A claim of a class that is not there waits, and tells so
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value   |
        | spec.storageClassName | nowhere |
      Then within 30 seconds an Event "ProvisioningFailed" tells of the PersistentVolumeClaim "data"
      And the PersistentVolumeClaim "data" has:
        | field        | value   |
        | status.phase | Pending |

    @id:volumes.15 @core
    Scenario: A claim of no class at all waits, and tells so
      When a PersistentVolumeClaim "data" is created with:
        | field                           | value |
        | spec.storageClassName           | ""    |
        | spec.resources.requests.storage | 900Pi |
      Then within 30 seconds an Event "FailedBinding" tells of the PersistentVolumeClaim "data"
      And the PersistentVolumeClaim "data" has:
        | field        | value   |
        | status.phase | Pending |

  @req:VOL-2
  Rule: A volume that was let go is nobody's until somebody has looked after it

    @id:volumes.16 @core
    Scenario: A volume to be retained stays, with its data, when its claim goes
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When the PersistentVolumeClaim "data" is deleted
      Then within 30 seconds the PersistentVolume "disk" has:
        | field              | value    |
        | status.phase       | Released |
        | spec.claimRef.name | data     |

    @id:volumes.17 @core
    Scenario: A volume that was let go is not given to the next claim, not of the same name either
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolume "disk" has come to have:
        | field        | value |
        | status.phase | Bound |
      And somebody has deleted the PersistentVolumeClaim "data"
      And the PersistentVolume "disk" has come to have:
        | field        | value    |
        | status.phase | Released |
      When a PersistentVolumeClaim "data" is created with:
        | field                 | value  |
        | spec.storageClassName | manual |
      Then for 20 seconds the PersistentVolumeClaim "data" still has:
        | field        | value   |
        | status.phase | Pending |

    @id:volumes.18 @core
    Scenario: A volume that somebody has freed is available again
      Given a PersistentVolume "disk" with:
        | field                 | value                                                                                  |
        | spec.storageClassName | manual                                                                                 |
        | spec.claimRef         | {namespace: home, name: gone, uid: 00000000-0000-0000-0000-000000000000}               |
      And the PersistentVolume "disk" has come to have:
        | field        | value    |
        | status.phase | Released |
      When the PersistentVolume "disk" is updated:
        | field         | value    |
        | spec.claimRef | (absent) |
      Then within 30 seconds the PersistentVolume "disk" has:
        | field        | value     |
        | status.phase | Available |

    @id:volumes.19 @core
    Scenario: A claim whose volume is gone is lost
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      And somebody has deleted the PersistentVolume "disk"
      When the PersistentVolume "disk" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then within 30 seconds the PersistentVolumeClaim "data" has:
        | field        | value |
        | status.phase | Lost  |

  @req:VOL-3
  Rule: What is in use is not taken away

    @id:volumes.20 @core
    Scenario: A claim that a Pod uses stays until the Pod is gone
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a Pod "web" with:
        """
        spec: {nodeName: a, volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}
        """
      When the PersistentVolumeClaim "data" is deleted
      Then for 20 seconds the PersistentVolumeClaim "data" still has:
        | field                      | value                         |
        | metadata.deletionTimestamp | (present)                     |
        | metadata.finalizers        | [kubernetes.io/pvc-protection] |

    @id:volumes.21 @core
    Scenario: A claim goes with the last Pod that uses it
      Given these nodes without a kubelet:
        | name | ready |
        | a    | yes   |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a Pod "web" with:
        """
        spec: {nodeName: a, volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}
        """
      And somebody has deleted the PersistentVolumeClaim "data"
      When the Pod "web" is deleted
      Then within 30 seconds there is no PersistentVolumeClaim "data"

    @id:volumes.22 @core
    Scenario: A claim that nobody uses goes at once
      Given a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When the PersistentVolumeClaim "data" is deleted
      Then within 30 seconds there is no PersistentVolumeClaim "data"

    @id:volumes.23 @core
    Scenario: A volume that is bound stays until its claim is gone
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When the PersistentVolume "disk" is deleted
      Then for 20 seconds the PersistentVolume "disk" still has:
        | field                      | value                         |
        | metadata.deletionTimestamp | (present)                     |
        | metadata.finalizers        | [kubernetes.io/pv-protection] |
        | status.phase               | Bound                         |

    @id:volumes.24 @core
    Scenario: A volume that is free goes at once
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolume "disk" has come to have:
        | field        | value     |
        | status.phase | Available |
      When the PersistentVolume "disk" is deleted
      Then within 30 seconds there is no PersistentVolume "disk"

    @id:volumes.27 @core
    Scenario Outline: A <kind> whose protection somebody has taken away gets it again
      Given a <kind> "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When the <kind> "disk" is updated:
        | field               | value    |
        | metadata.finalizers | (absent) |
      Then within 30 seconds the <kind> "disk" has:
        | field               | value       |
        | metadata.finalizers | [<protection>] |

      Examples:
        | kind                  | protection                   |
        | PersistentVolume      | kubernetes.io/pv-protection  |
        | PersistentVolumeClaim | kubernetes.io/pvc-protection |

  @req:VOL-4
  Rule: A claim grows only where its class allows that, and never shrinks

    @id:volumes.25 @core
    Scenario: A claim of a class that does not grow cannot ask for more
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When the PersistentVolumeClaim "data" is updated:
        | field                           | value |
        | spec.resources.requests.storage | 2Gi   |
      Then the request is refused as Forbidden

    @id:volumes.26 @core
    Scenario: A claim that is not bound cannot ask for more
      Given a PersistentVolumeClaim "data" with:
        | field                 | value  |
        | spec.storageClassName | manual |
      When the PersistentVolumeClaim "data" is updated:
        | field                           | value |
        | spec.resources.requests.storage | 2Gi   |
      Then the request is refused as Invalid for:
        | field | cause     |
        | spec  | forbidden |

    @id:volumes.28 @core
    Scenario: A claim cannot ask for less
      Given a PersistentVolume "disk" with:
        | field                 | value  |
        | spec.storageClassName | manual |
        | spec.capacity.storage | 2Gi    |
      And a PersistentVolumeClaim "data" with:
        | field                           | value  |
        | spec.storageClassName           | manual |
        | spec.resources.requests.storage | 2Gi    |
      And the PersistentVolumeClaim "data" has come to have:
        | field        | value |
        | status.phase | Bound |
      When the PersistentVolumeClaim "data" is updated:
        | field                           | value |
        | spec.resources.requests.storage | 1Gi   |
      Then the request is refused as Invalid for:
        | field                           | cause     |
        | spec.resources.requests.storage | forbidden |
