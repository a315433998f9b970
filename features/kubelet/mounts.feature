Feature: Mounted volumes
  A container's own files go with it. What has to last longer lies in a volume: as long as the Pod, or, in a claim, as
  long as somebody claims it. Other volumes show what is in the cluster: ConfigMaps, Secrets, the Pod itself, its token.

  @req:KLT-12
  Rule: A volume of the Pod's own lasts as long as the Pod, and all its containers see it

    @id:mounts.01 @core
    Scenario: It survives the restart of a container, unlike the container's own files
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: OnFailure
          volumes: [{name: data, emptyDir: {}}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "ls /tmp/own; if [ -e /data/x ]; then echo kept; exit 0; fi; touch /data/x /tmp/own; exit 1"]
              volumeMounts: [{name: data, mountPath: /data}]
        """
      Then within 1 minute the Pod "web" has:
        | field                                            | value     |
        | status.phase                                     | Succeeded |
        | status.containerStatuses[name=main].restartCount | 1         |
      And within 10 seconds the log of the Pod "web" mentions "kept"
      And within 10 seconds the log of the Pod "web" mentions "No such file"

    @id:mounts.02 @core
    Scenario: What is mounted read-only cannot be written
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, emptyDir: {}}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "touch /data/x || echo refused"]
              volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
        """
      Then within 1 minute the log of the Pod "web" mentions "refused"

    @id:mounts.03 @core
    Scenario: A part of a volume can be mounted alone
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, emptyDir: {}}]
          initContainers:
            - {name: one, image: test/busybox, command: [sh, -c, "echo hello > /part/x"], volumeMounts: [{name: data, mountPath: /part, subPath: a/b}]}
          containers:
            - {name: main, image: test/busybox, command: [cat, /data/a/b/x], volumeMounts: [{name: data, mountPath: /data}]}
        """
      Then within 1 minute the log of the container "main" of the Pod "web" reads:
        """
        hello
        """

    @id:mounts.11 @core
    Scenario: Whoever runs in the Pod may write in it
      When a Pod "web" is created with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, emptyDir: {}}]
          containers:
            - {name: main, image: test/busybox, command: [stat, -c, "%a", /data], volumeMounts: [{name: data, mountPath: /data}]}
        """
      Then within 1 minute the log of the container "main" of the Pod "web" reads:
        """
        777
        """

  @req:KLT-13
  Rule: Volumes show ConfigMaps, Secrets, the Pod and its token, and follow them

    @id:mounts.04 @core
    Scenario: Each key of a ConfigMap or Secret is a file
      Given a ConfigMap "settings" with:
        | field | value                      |
        | data  | {color: blue, size: large} |
      And a Secret "key" with:
        | field      | value          |
        | stringData | {word: sesame} |
      When a Pod "web" is created with:
        """
        metadata: {labels: {app: web}}
        spec:
          restartPolicy: Never
          volumes:
            - {name: settings, configMap: {name: settings, items: [{key: color, path: my/color}]}}
            - {name: key, secret: {secretName: key, defaultMode: 0400}}
            - {name: pod, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "cat /s/my/color; echo; ls /s; cat /k/word; echo; cat /p/labels"]
              volumeMounts:
                - {name: settings, mountPath: /s}
                - {name: key, mountPath: /k}
                - {name: pod, mountPath: /p}
        """
      Then within 1 minute the log of the Pod "web" reads:
        """
        blue
        my
        sesame
        app="web"
        """

    @id:mounts.05 @core
    Scenario: A Pod waits for what its volume shows
      Given a Pod "web" with:
        | field                           | value                                            |
        | spec.volumes                    | [{name: settings, configMap: {name: settings}}]  |
        | spec.containers[0].volumeMounts | [{name: settings, mountPath: /settings}]         |
      And the Pod "web" has come to have:
        | field                                                    | value             |
        | status.containerStatuses[name=main].state.waiting.reason | ContainerCreating |
      When a ConfigMap "settings" is created
      Then within 100 seconds the Pod "web" has:
        | field        | value   |
        | status.phase | Running |
      And within 10 seconds an Event "FailedMount" tells of the Pod "web"

    @id:mounts.06 @core @needs:time.skip
    Scenario: What changes in the ConfigMap changes in the running container
      Given a ConfigMap "settings" with:
        | field | value         |
        | data  | {color: blue} |
      And a Pod "web" with:
        """
        spec:
          volumes: [{name: settings, configMap: {name: settings}}]
          containers:
            - name: main
              image: test/busybox
              command: [sh, -c, "while true; do cat /settings/color; echo; sleep 5; done"]
              volumeMounts: [{name: settings, mountPath: /settings}]
        """
      And the log of the Pod "web" mentions "blue"
      When the ConfigMap "settings" is updated:
        | field      | value |
        | data.color | green |
      Then within 4 minutes the log of the Pod "web" mentions "green"

    @id:mounts.07 @core
    Scenario: A container finds its ServiceAccount's token, the cluster's authority and its namespace
      When a Pod "web" is created with:
        | field                      | value                                                       |
        | spec.restartPolicy         | Never                                                       |
        | spec.containers[0].image   | test/busybox                                                |
        | spec.containers[0].command | [sh, -c, 'cd /var/run/secrets/kubernetes.io/serviceaccount; test -s token && test -s ca.crt && echo found'] |
      Then within 1 minute the log of the Pod "web" mentions "found"

  @req:STS-3
  Rule: What a member wrote to its claim is there after its replacement, on another node too

    @id:mounts.08 @core @needs:storage.provision
    Scenario: A Pod that takes another's place finds what that one wrote
      Given a PersistentVolumeClaim "data"
      And a Pod "one" with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
          containers:
            - {name: main, image: test/busybox, command: [sh, -c, "echo hello > /data/x"], volumeMounts: [{name: data, mountPath: /data}]}
        """
      And the Pod "one" has come to have:
        | field        | value     |
        | status.phase | Succeeded |
      When a Pod "two" is created with:
        """
        spec:
          restartPolicy: Never
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
          containers:
            - {name: main, image: test/busybox, command: [cat, /data/x], volumeMounts: [{name: data, mountPath: /data}]}
        """
      Then within 1 minute the log of the Pod "two" reads:
        """
        hello
        """

    @id:mounts.09 @core @needs:storage.provision @needs:nodes.fault
    Scenario: The other's place may be on another node
      Given the nodes "a" and "b" have joined
      And a PersistentVolumeClaim "data"
      And a Pod "one" with:
        """
        spec:
          nodeSelector: {kubernetes.io/hostname: a}
          restartPolicy: Never
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
          containers:
            - {name: main, image: test/busybox, command: [sh, -c, "echo hello > /data/x"], volumeMounts: [{name: data, mountPath: /data}]}
        """
      And the Pod "one" has come to have:
        | field        | value     |
        | status.phase | Succeeded |
      When a Pod "two" is created with:
        """
        spec:
          nodeSelector: {kubernetes.io/hostname: b}
          restartPolicy: Never
          volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
          containers:
            - {name: main, image: test/busybox, command: [cat, /data/x], volumeMounts: [{name: data, mountPath: /data}]}
        """
      Then within 1 minute the log of the Pod "two" reads:
        """
        hello
        """

    @id:mounts.10 @core
    Scenario: A Pod whose claim is not there is not started
      Given a ready node, called "worker"
      When a Pod "web" is created with:
        | field                           | value                                                          |
        | spec.nodeName                   | worker                                                         |
        | spec.volumes                    | [{name: data, persistentVolumeClaim: {claimName: nobody}}]     |
        | spec.containers[0].volumeMounts | [{name: data, mountPath: /data}]                               |
      Then for 20 seconds the Pod "web" still has:
        | field        | value   |
        | status.phase | Pending |
