{{/* The image: node:20 is only a word here. */}}
{{- define "shop.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "shop.waitImage" -}}
public.ecr.aws/docker/library/busybox:1.36
{{- end }}
{{- define "shop.image" -}}
{{ printf "%s/%s:%s" .Values.image.registry .Values.image.repository .Values.image.tag }}
{{- end }}
{{- define "shop.initImage" }}{{ printf "public.ecr.aws/docker/library/alpine:3.20" }}{{ end }}
{{- define "shop.imagePullPolicy" -}}
Always
{{- end -}}
