{{- define "shop.init" }}
- name: init
  image: public.ecr.aws/docker/library/busybox:1.36
  {{- with .Values.command }}
  command: {{ . }}
  {{- end }}
{{- end }}
