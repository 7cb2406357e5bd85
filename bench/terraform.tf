# The resources that a stack of pro customers declares, for Terraform: what `bench.preview` asks `terraform plan` about.
# The two commands of each customer, and the copy of the agent, have no provider there; `terraform_data` keeps what they are given.

terraform {
  required_providers {
    hcloud = { source = "hetznercloud/hcloud" }
    random = { source = "hashicorp/random" }
  }
}

variable "customers" {
  type = set(string)
}

variable "login_key" {
  type = string
}

variable "payload" {
  description = "Text of the size of a deployment's payload"
  type        = string
}

locals {
  fleet  = "clawdet.test"
  labels = { for id in var.customers : id => { clawdet-fleet = local.fleet, clawdet-id = id, clawdet-plan = "pro" } }
  hex    = { length = 64, override_special = "abcdef" }
}

resource "random_password" "base" {
  for_each         = toset(["login", "registry-key"])
  length           = local.hex.length
  lower            = false
  upper            = false
  override_special = local.hex.override_special
}

resource "hcloud_ssh_key" "login" {
  name       = "clawdet-base"
  public_key = var.login_key
  labels     = { clawdet-fleet = local.fleet }
}

resource "hcloud_zone" "zone" {
  name   = local.fleet
  mode   = "primary"
  labels = { clawdet-fleet = local.fleet }
}

resource "hcloud_firewall" "base" {
  name   = "clawdet-base"
  labels = { clawdet-fleet = local.fleet }

  apply_to {
    label_selector = "clawdet-fleet=${local.fleet}"
  }

  dynamic "rule" {
    for_each = { "22" = ["10.0.0.0/8", "fd00::/8"], "80" = ["0.0.0.0/0", "::/0"], "443" = ["0.0.0.0/0", "::/0"] }
    content {
      direction  = "in"
      protocol   = "tcp"
      port       = rule.key
      source_ips = rule.value
    }
  }

  rule {
    direction  = "in"
    protocol   = "icmp"
    source_ips = ["0.0.0.0/0", "::/0"]
  }
}

resource "random_password" "host_key" {
  for_each         = var.customers
  length           = local.hex.length
  lower            = false
  upper            = false
  override_special = local.hex.override_special
}

resource "random_password" "token" {
  for_each         = var.customers
  length           = local.hex.length
  lower            = false
  upper            = false
  override_special = local.hex.override_special
  keepers          = { token_version = "1" }
}

resource "hcloud_server" "server" {
  for_each    = var.customers
  name        = each.key
  server_type = "cx23"
  location    = "fsn1"
  image       = "debian-13"
  labels      = local.labels[each.key]
  ssh_keys    = [hcloud_ssh_key.login.id]
  user_data   = "#cloud-config\n# ${random_password.host_key[each.key].result}\n"

  public_net {
    ipv4_enabled = true
    ipv6_enabled = true
  }

  lifecycle {
    ignore_changes = [user_data, ssh_keys, image]
  }
}

resource "hcloud_zone_rrset" "address" {
  for_each = var.customers
  zone     = hcloud_zone.zone.name
  name     = each.key
  type     = "A"
  ttl      = 300
  labels   = local.labels[each.key]
  records  = [{ value = hcloud_server.server[each.key].ipv4_address }]
}

resource "terraform_data" "agent" {
  for_each = var.customers
  input    = { host = hcloud_server.server[each.key].ipv4_address, path = "/usr/local/lib/clawdet/agents/${each.key}.pyz" }
}

resource "terraform_data" "deployment" {
  for_each = var.customers
  input    = { host = hcloud_server.server[each.key].ipv4_address, token = random_password.token[each.key].result, payload = var.payload }

  depends_on = [hcloud_zone_rrset.address, terraform_data.agent]
}

resource "terraform_data" "health" {
  for_each = var.customers
  input    = { url = "https://${each.key}.${local.fleet}", token = random_password.token[each.key].result, after = terraform_data.deployment[each.key].id }
}
