//! The flags of a tenant.

/// A flag of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// `autoAssignCreateSharedSpacesRoleToProfessionals`
    AutoAssignCreateSharedSpacesRoleToProfessionals,
    /// `autoAssignPrivateAnalyticsContentCreatorRoleToProfessionals`
    AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals,
    /// `autoAssignDataServicesContributorRoleToProfessionals`
    AutoAssignDataServicesContributorRoleToProfessionals,
    /// `enableAnalyticCreation`, deprecated by Qlik
    EnableAnalyticCreation,
    /// `enableAppOpeningFeedback`
    EnableAppOpeningFeedback,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Self; 5] = [
        Self::AutoAssignCreateSharedSpacesRoleToProfessionals,
        Self::AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals,
        Self::AutoAssignDataServicesContributorRoleToProfessionals,
        Self::EnableAnalyticCreation,
        Self::EnableAppOpeningFeedback,
    ];

    /// The name in Qlik's API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AutoAssignCreateSharedSpacesRoleToProfessionals => "autoAssignCreateSharedSpacesRoleToProfessionals",
            Self::AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals => {
                "autoAssignPrivateAnalyticsContentCreatorRoleToProfessionals"
            }
            Self::AutoAssignDataServicesContributorRoleToProfessionals => {
                "autoAssignDataServicesContributorRoleToProfessionals"
            }
            Self::EnableAnalyticCreation => "enableAnalyticCreation",
            Self::EnableAppOpeningFeedback => "enableAppOpeningFeedback",
        }
    }
}

/// The flags of a tenant, each as far as Qlik Cloud gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named as in Qlik's API, which documents them")]
pub struct TenantSettings {
    pub auto_assign_create_shared_spaces_role_to_professionals: Option<bool>,
    pub auto_assign_private_analytics_content_creator_role_to_professionals: Option<bool>,
    pub auto_assign_data_services_contributor_role_to_professionals: Option<bool>,
    pub enable_analytic_creation: Option<bool>,
    pub enable_app_opening_feedback: Option<bool>,
}

impl TenantSettings {
    /// Sets one flag.
    pub fn set(&mut self, setting: Setting, value: bool) {
        let flag = match setting {
            Setting::AutoAssignCreateSharedSpacesRoleToProfessionals => {
                &mut self.auto_assign_create_shared_spaces_role_to_professionals
            }
            Setting::AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals => {
                &mut self.auto_assign_private_analytics_content_creator_role_to_professionals
            }
            Setting::AutoAssignDataServicesContributorRoleToProfessionals => {
                &mut self.auto_assign_data_services_contributor_role_to_professionals
            }
            Setting::EnableAnalyticCreation => &mut self.enable_analytic_creation,
            Setting::EnableAppOpeningFeedback => &mut self.enable_app_opening_feedback,
        };
        *flag = Some(value);
    }

    /// One flag.
    pub const fn get(&self, setting: Setting) -> Option<bool> {
        match setting {
            Setting::AutoAssignCreateSharedSpacesRoleToProfessionals => {
                self.auto_assign_create_shared_spaces_role_to_professionals
            }
            Setting::AutoAssignPrivateAnalyticsContentCreatorRoleToProfessionals => {
                self.auto_assign_private_analytics_content_creator_role_to_professionals
            }
            Setting::AutoAssignDataServicesContributorRoleToProfessionals => {
                self.auto_assign_data_services_contributor_role_to_professionals
            }
            Setting::EnableAnalyticCreation => self.enable_analytic_creation,
            Setting::EnableAppOpeningFeedback => self.enable_app_opening_feedback,
        }
    }
}
