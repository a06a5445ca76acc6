{{- define "shop.init" }}
- name: init
  image: busybox:1.36
  {{- with .Values.command }}
  command: {{ . }}
  {{- end }}
{{- end }}
